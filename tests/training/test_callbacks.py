"""The live measure of diversity and its warning; devices."""

import json

import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import tiny, tiny_batch

import munit_tf
from munit_tf.distribution import devices
from munit_tf.runs import run_folder
from munit_tf.training import callbacks
from munit_tf.training.sample_monitor import SampleMonitor


class FixedProbes:
    """Measures that a test gives."""

    def __init__(self, values):
        self._values = iter(values)

    def measure(self):
        return {"diversity/b": next(self._values)}


def logged(tmp_path, values, earlier=()):
    """A Log that has seen these diversities, one a step."""
    writer = tf.summary.create_file_writer(str(tmp_path / "tensorboard"))
    probes, collapse_checks = FixedProbes(values), munit_tf.METHODS["munit"].collapse_checks
    log = callbacks.Log(
        0, 1, run_folder.RunFolder(tmp_path), writer, probes, collapse_checks, 1, list(earlier)
    )
    for step in range(1, len(values) + 1):
        log.after_step(step, {"loss_g": 1.0})


def test_warns_once_when_diversity_falls_below_a_tenth_of_its_best(tmp_path, capsys):
    logged(tmp_path, [0.2, 0.5, 0.051, 0.049, 0.01, 0.2, 0.02])
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert [line.split(":")[1] for line in lines] == [" step 4", " step 7"]
    assert "diversity/b is 0.0490, its maximum was 0.5000" in " ".join(lines[0].split())


def test_best_diversity_is_remembered_over_a_resume(tmp_path, capsys):
    logged(tmp_path, [0.04], earlier=[{"step": 1, "diversity/b": 0.5}])
    assert "its maximum was 0.5000" in " ".join(capsys.readouterr().err.split())


def test_log_rows_are_json(tmp_path):
    logged(tmp_path, [0.25, 0.5])
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(row["step"], row["loss_g"], row["diversity/b"]) for row in rows] == [
        (1, 1.0, 0.25),
        (2, 1.0, 0.5),
    ]


def test_measures_are_what_they_say():
    model = tiny("munit")
    images = tiny_batch(model, 5)
    measures = SampleMonitor(model, images, seed=0, batch_size=2).measure()
    first, second = model.prior_style(8, 0).numpy()[:2]
    pair = [
        model.translate(images["a"][:4], "a2b", style=np.tile(s, (4, 1))).numpy() for s in (first, second)
    ]
    codes = model.encode_style(images["b"], "b").numpy()
    assert measures["diversity/b"] == pytest.approx(np.abs(pair[0] - pair[1]).mean(), rel=1e-5)
    assert measures["style_mean/b"] == pytest.approx(np.abs(codes.mean(0)).mean(), rel=1e-5)
    assert measures["style_std/b"] == pytest.approx(codes.std(0).mean(), rel=1e-4)
    assert len(measures) == 6


@pytest.mark.parametrize(
    "method, options, grids, measures",
    [
        ("unit", {}, {"a2b", "b2a"}, set()),
        ("cyclegan", dict(noise_dim=0), {"a2b", "b2a"}, set()),
        ("cyclegan", dict(noise_dim=2), {"a2b", "b2a"}, {"diversity/a", "diversity/b"}),
        (
            "bicyclegan",
            {},
            {"a2b", "guided_a2b"},
            {"diversity/b", "style_mean/b", "style_std/b", "posterior_std/b"},
        ),
    ],
    ids=["unit", "cyclegan", "noisy cyclegan", "bicyclegan"],
)
def test_grids_and_measures_are_of_what_a_method_has(method, options, grids, measures):
    model = tiny(method, **options)
    probes = SampleMonitor(model, tiny_batch(model, 2), seed=0, batch_size=2)
    assert set(probes.measure()) == measures
    found = probes.grids()
    assert set(found) == grids
    # Input, reconstruction where there is one, and one translation or eight, each 96 pixels and a gap.
    columns = {"unit": 3, "bicyclegan": 9}.get(method, 9 if model.style_dim else 2)
    assert found["a2b"].width == columns * (96 + 4) + 4


def test_batch_must_be_shared_out_evenly():
    assert devices.make_strategy("mirrored", 4).num_replicas_in_sync == 2
    assert devices.make_strategy("auto", 3).num_replicas_in_sync == 1
    assert devices.make_strategy("none", 3).num_replicas_in_sync == 1
    with pytest.raises(ValueError, match="--batch_size=3 cannot be divided among 2 devices"):
        devices.make_strategy("mirrored", 3)
