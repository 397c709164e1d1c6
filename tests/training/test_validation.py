"""Validation during training: what is measured and kept, and that it does not change training."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import tiny
from PIL import Image
from training.processes import CYCLEGAN, TINY, assert_same_run, log, make_photos, state

import munit_tf
from munit_tf import train
from munit_tf.config.options import DataConfig
from munit_tf.data import registry
from munit_tf.errors import InputError
from munit_tf.metrics.fid import mmd2
from munit_tf.metrics.random_features import RandomFeatures, standardized_kid
from munit_tf.runs import checkpoints, loading, run_folder
from munit_tf.runs.checkpoints import NotFinite
from munit_tf.training import progress_plot, validation, validation_measures
from munit_tf.training.validation_measures import Features, Validator, checks_for

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.usefixtures("eagerly")
RANDOM = Features(RandomFeatures(), standardized_kid)


def photos(count=5, size=(16, 24)):
    rng = np.random.default_rng(0)
    return {domain: rng.integers(0, 256, (count, *size, 3), dtype=np.uint8) for domain in "ab"}


@pytest.mark.parametrize(
    "method, targets, own",
    [
        (
            "munit",
            "ba",
            {"diversity", "style_mean_norm", "style_covariance_distance", "style_std", "style_frechet"},
        ),
        (
            "bicyclegan",
            "b",
            {"diversity", "style_mean_norm", "style_covariance_distance", "style_std", "style_frechet"},
        ),
        ("cyclegan", "ba", {"diversity"}),
        ("unit", "ba", set()),
    ],
)
def test_measures_of_every_kind_of_method(method, targets, own):
    model = tiny(method)
    before = {name: variable.numpy() for name, variable in model.named_state().items()}
    random = tf.random.get_global_generator().state.numpy(), np.random.get_state()[1].copy()
    validator = Validator(model, photos(), RANDOM, seed=3, batch_size=2)
    row = validator.measure()
    names = {"kid", "content", "luminance", "blobs", *own}
    assert set(row) == {f"validation/{name}/{target}" for name in names for target in targets}
    assert all(type(value) is float and np.isfinite(value) for value in row.values())
    assert validator.measure() == row
    after = model.named_state()
    assert [name for name in before if not np.array_equal(before[name], after[name].numpy())] == []
    assert np.array_equal(random[0], tf.random.get_global_generator().state.numpy())
    assert np.array_equal(random[1], np.random.get_state()[1])


def test_measures_are_what_they_say():
    model, images = tiny("munit", ema_half_life=50), photos()
    for average in model.averages.variables.values():
        average.assign(average * 1.5)
    plain = Features(lambda x: x.reshape(len(x), -1).astype(np.float64), mmd2)
    row = Validator(model, images, plain, seed=3, batch_size=2).measure()
    a, b = (images[domain] / np.float32(127.5) - np.float32(1) for domain in "ab")
    styles = model.prior_style(10, 3).numpy()
    with model.averaged():
        first, second = (model.translate(a, "a2b", style=s).numpy() for s in (styles[:5], styles[5:]))
        codes = model.encode_style(b, "b").numpy()
    expected = mmd2(*(x.reshape(5, -1).astype(np.float64) for x in (first, b)))
    assert row["validation/kid/b"] == pytest.approx(expected, rel=1e-4)
    assert row["validation/diversity/b"] == pytest.approx(np.abs(first - second).mean(), rel=1e-4)
    assert row["validation/style_std/b"] == pytest.approx(codes.std(axis=0, ddof=1).mean(), rel=1e-4)
    light = np.array([0.299, 0.587, 0.114])
    correlations = [np.corrcoef((x @ light).ravel(), (y @ light).ravel())[0, 1] for x, y in zip(a, first)]
    assert row["validation/luminance/b"] == pytest.approx(np.median(correlations), abs=1e-4)


def test_translations_that_are_not_finite_are_found():
    model = tiny("unit")
    weight = next(value for name, value in model.named_weights().items() if name.startswith("generators/b/"))
    weight.assign(np.full(weight.shape, np.nan, "float32"))
    with pytest.raises(NotFinite, match="^validation: translations .2. have values that are not finite"):
        Validator(model, photos(), RANDOM, seed=0, batch_size=2).measure()


class FixedMeasures:
    """Stands in for a Validator with measures that a test gives."""

    def __init__(self, rows):
        self._rows = iter(rows)

    def measure(self):
        return {f"validation/{name}/b": value for name, value in next(self._rows).items()}


def validated(path, model, rows, step=0):
    """Validates after each step with these measures, as training does after a start at `step`."""
    folder = run_folder.RunFolder(path)
    path.mkdir(exist_ok=True)
    model.step.assign(step)
    earlier, best = folder.truncate_log(step), loading.best_checkpoint_manager(folder, model)
    writer = tf.summary.create_file_writer(str(folder.tensorboard))
    checks = checks_for(DataConfig(dataset="shapes"))
    hook = validation.Validation(1, folder, writer, FixedMeasures(rows), best, checks, earlier)
    for i in range(step, step + len(rows)):
        model.step.assign(i + 1)
        hook.after_step(i + 1, {})
    return folder


def kids(*values):
    return [{"kid": value, "content": 0.5} for value in values]


def interrupt(*arguments):
    raise KeyboardInterrupt


def kept(folder):
    return [path.name for path in folder.best.iterdir()]


def test_the_best_checkpoint_is_kept_and_replaced(tmp_path, capsys):
    model = tiny("unit")
    folder = validated(tmp_path / "run", model, kids(0.3, 0.2, 0.25))
    assert kept(folder) == ["step-2"] and folder.best_checkpoint().step == 2
    assert folder.newest_checkpoint() is None  # The best one is none of those to resume from.
    loading.checkpoint_manager(folder, model, keep=1).save()
    assert kept(folder) == ["step-2"] and folder.newest_checkpoint().step == 3
    # Resumed, it knows the value; after a return to step 1 it does not, and replaces the checkpoint.
    validated(tmp_path / "run", model, kids(0.22, float("nan")), step=3)
    assert kept(folder) == ["step-2"]
    validated(tmp_path / "run", model, kids(0.9), step=1)
    assert kept(folder) == ["step-2"] and [row["step"] for row in log(folder.path)] == [1, 2]
    validated(tmp_path / "run", model, kids(0.8, 0.85), step=2)
    assert kept(folder) == ["step-3"]
    with Image.open(folder.progress) as picture:
        assert picture.format == "PNG" and picture.size == (800, 520)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("values", [(0.3, 0.25), (2000.0, 0.05), (1.7e-4, -2e-4), (0.3,)])
def test_the_plot_needs_no_mathematics_fonts(tmp_path, monkeypatch, values):
    from matplotlib.mathtext import MathTextParser

    monkeypatch.setattr(MathTextParser, "parse", None)
    rows = [{"step": 100 * i, "validation/kid/b": value} for i, value in enumerate(values)]
    progress_plot.draw(tmp_path / "progress.png", rows, 100)
    with Image.open(tmp_path / "progress.png") as picture:
        assert picture.size == (800, 260)


def test_killed_between_writing_and_removing_there_are_two_and_the_better_one_counts(tmp_path, monkeypatch):
    model = tiny("unit")
    folder = validated(tmp_path / "run", model, kids(0.3))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "remove_tree", interrupt)
        with pytest.raises(KeyboardInterrupt):
            validated(tmp_path / "run", model, kids(0.2), step=1)
    assert sorted(kept(folder)) == ["step-1", "step-2"] and folder.best_checkpoint().step == 2
    validated(tmp_path / "run", model, kids(0.25, 0.1), step=2)
    assert kept(folder) == ["step-4"]


def test_a_damaged_or_missing_best_checkpoint_is_one_line(tmp_path, capsys):
    model = tiny("unit")
    folder = validated(tmp_path / "run", model, kids(0.3))
    (folder.best / "step-1" / "state.index").write_bytes(b"")
    with pytest.raises(InputError, match="best checkpoint .*step-1 is damaged .*use the newest one$"):
        folder.best_checkpoint()
    validated(tmp_path / "run", model, kids(0.4), step=1)
    [line] = capsys.readouterr().err.splitlines()
    assert "step-1 is damaged" in line and line.endswith("the next validation writes another one")
    assert kept(folder) == ["step-2"]
    shutil.rmtree(folder.best)
    validated(tmp_path / "run", model, kids(0.5), step=2)
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("has no checkpoint any more: the next validation writes one")
    assert kept(folder) == ["step-3"]
    folder.reset()
    assert not folder.best.exists() and not folder.progress.exists()


@pytest.mark.parametrize(
    "a, b, expected",
    [(400.0, 0.25, 10.0), (9.0, -0.5, (9 * 0.001) ** 0.5), (float("nan"), 0.1, float("inf"))],
)
def test_both_directions_count_alike(a, b, expected):
    row = {"step": 1, "validation/kid/a": a, "validation/kid/b": b, "validation/content/b": 5.0}
    assert validation.overall_kid(row) == pytest.approx(expected)


def test_warnings_come_once_a_stretch(tmp_path, capsys):
    rows = [
        dict(kid=0.1, luminance=luminance, blobs=blobs)
        for luminance, blobs in [(0.9, 0.0), (-0.3, 0.0), (-0.5, 0.3), (-0.1, 0.3), (-0.3, 0.2)]
    ]
    validated(tmp_path / "run", tiny("unit"), rows[:3])
    validated(tmp_path / "run", tiny("unit"), rows[3:], step=3)
    lines = [line.split(": ")[:3] for line in capsys.readouterr().err.splitlines() if line]
    starts = [(step, text.split()[0], text.split()[1]) for _, step, text in lines]
    inverted, blobs = ("most", "translations"), ("translations", "have")
    assert starts == [("step 2", *inverted), ("step 3", *blobs), ("step 5", *inverted)]


def test_brightness_is_not_checked_between_edges_and_photos():
    for data in DataConfig(dataset="edges2flowers"), DataConfig(train_b="x", edges=True):
        assert [check.measure for check in checks_for(data)] == ["validation/blobs"]
    assert len(checks_for(DataConfig(dataset="summer2winter"))) == 2


def test_a_line_says_when_kid_has_not_improved_for_long():
    def said(values, every):
        rows = [{"step": every * (i + 1), "validation/kid/b": value} for i, value in enumerate(values)]
        progress = validation.Progress(rows[:5])
        return [row["step"] for row in rows[5:] if progress.note(row)]

    # Ten validations after step 2, 30 % of the steps: step 12; again ten after step 15, 30 % at step 25.
    assert said([3, 2, *[2.5] * 12, 1, *[1.5] * 20], every=1) == [12, 25]
    # Ten validations after step 300 are 25 % of step 400; 30 % are reached at step 430 only.
    assert said([*range(30, 0, -1), *[2] * 15], every=10) == [430]


def test_a_step_and_one_more_are_two_with_validation_and_without(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / "photos", count=3)
    flags = [*CYCLEGAN, "--log_every=1", "--sample_every=1000", "--ema_half_life=5"]
    assert train.main([*flags, "--steps=2", "--output=off"]) == 0
    flags.append("--validate_every=1")
    assert train.main([*flags, "--steps=2", "--output=on"]) == 0
    assert train.main([*flags, "--steps=1", "--output=parts"]) == 0
    assert train.main(["--flagfile=parts/run.flags", "--steps=2"]) == 0
    on, off, parts = (tmp_path / name for name in ("on", "off", "parts"))
    assert_same_run(on, parts, 2)
    states = state(on, 2), state(off, 2)
    assert [key for key in states[0] if not np.array_equal(states[0][key], states[1][key])] == []
    rows = log(on)
    assert [row["step"] for row in rows] == [1, 1, 2, 2]
    assert [row for row in rows if not validation.is_validation(row)] == log(off)
    best = run_folder.RunFolder(on).best_checkpoint()
    first, last = (validation.overall_kid(row) for row in rows if validation.is_validation(row))
    assert best.step == (2 if last < first else 1)
    assert int(munit_tf.load(on, weights="best").step) == best.step
    assert not (off / "progress.png").exists() and (on / "progress.png").exists()


def test_refused_without_test_images_or_with_something_else_than_a_classifier(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / "photos", count=3)
    flags = [*TINY, "--dataset=photos", "--steps=1", "--validate_every=1"]
    assert train.main([*flags, "--validate_with=photos"]) == 2
    assert f"{tmp_path / 'photos'} is not a classifier's folder" in capsys.readouterr().err.splitlines()[-1]
    shutil.rmtree(tmp_path / "photos" / "testA")
    shutil.rmtree(tmp_path / "photos" / "testB")
    assert train.main(flags) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert (
        line.startswith("munit_tf.train: --validate_every needs two or more test images")
        and "--test_a" in line
    )
    assert not (tmp_path / "runs").exists()


def test_held_out_images_are_always_the_same(tmp_path, monkeypatch):
    make_photos(tmp_path / "photos", count=4, test_count=4)
    options = DataConfig(dataset=str(tmp_path / "photos"), resize=20, image_size=(16, 16))
    dataset = registry.open_dataset(options)
    monkeypatch.setattr(validation_measures, "_MOST_IMAGES", 2)
    first, again = (validation_measures.held_out_images(dataset, options) for _ in range(2))
    assert first["a"].shape == (2, 16, 16, 3) and first["a"].dtype == np.uint8
    assert all(np.array_equal(first[domain], again[domain]) for domain in "ab")


def test_nan_in_a_validation_goes_back_to_the_last_checkpoint(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / "photos", count=3)
    measure, calls = Validator.measure, []

    def poisoned(self):
        calls.append(int(self._model.step))
        if len(calls) == 2:
            raise NotFinite("validation: poisoned")
        return measure(self)

    monkeypatch.setattr(Validator, "measure", poisoned)
    flags = [*CYCLEGAN, "--log_every=1", "--sample_every=1000", "--steps=2", "--validate_every=1"]
    assert train.main([*flags, "--on_nan=rollback", "--output=run"]) == 0
    assert calls == [1, 2, 2]
    assert "validation: poisoned; continuing from step 1" in capsys.readouterr().err
    assert [row["step"] for row in log(tmp_path / "run")] == [1, 1, 2, 2]
