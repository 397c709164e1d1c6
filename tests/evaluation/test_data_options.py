"""The images that a run is evaluated on, where they are not those of its training."""

from munit_tf.config.options import DataConfig
from munit_tf.evaluation import evaluate_runs
from munit_tf.evaluation.options import EvaluateConfig


def chosen(options, dataset):
    return evaluate_runs._data_options(EvaluateConfig(run="run", dataset=dataset), options)


def test_edges_are_made_where_a_folder_has_no_domain_a(tmp_path):
    for name in ("photos/testB", "photos/trainB", "sketches/testA", "sketches/testB"):
        (tmp_path / name).mkdir(parents=True)
    pile, flowers = DataConfig(train_b="pile", edges=True), DataConfig(dataset="edges2flowers", paired=True)
    for options in (pile, flowers):
        found = chosen(options, str(tmp_path / "photos"))
        assert (found.dataset, found.train_b, found.paired) == (str(tmp_path / "photos"), None, False)
        assert found.edges
        assert not chosen(options, str(tmp_path / "sketches")).edges
        assert not chosen(options, "edges2shoes").edges
    assert not chosen(DataConfig(dataset="edges2shoes"), str(tmp_path / "photos")).edges
    assert chosen(pile, None) is pile
