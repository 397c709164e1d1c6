"""The guarantees that every method gives. A new method adds a line to `methods.TINY`."""

import collections
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import ADDITIONS, TINY, fewer_layers, image_side, tiny, tiny_batch
from inference.run_folders import files, make_images, make_run, read

import munit_tf
from munit_tf import keras_compat, translate
from munit_tf.networks.layers import ConvBlock
from munit_tf.runs import checkpoints, loading, run_folder
from munit_tf.serving import exporter


@pytest.fixture(scope="module", params=sorted(munit_tf.METHODS))
def method(request):
    return request.param


def seeded(method, **options):
    keras.utils.set_random_seed(7)
    return tiny(method, **options)


def values(model):
    return {name: variable.numpy() for name, variable in model.named_state().items()}


def test_every_method_is_here():
    assert set(TINY) == set(munit_tf.METHODS)


class OneStep(NamedTuple):
    """A model that took one step in float32, its state before and after, and the step's losses."""

    model: keras.Model
    before: dict
    after: dict
    logs: dict


@pytest.fixture(scope="module")
def one_step(method):
    model = seeded(method)
    before = values(model)
    logs = model.train_step(tiny_batch(model, 2))
    return OneStep(model, before, values(model), {name: float(value) for name, value in logs.items()})


def test_one_step_moves_every_weight_that_is_trainable(one_step):
    before, after = one_step.before, one_step.after
    still = {name for name in one_step.model.named_weights() if np.array_equal(before[name], after[name])}
    weights = one_step.model.named_weights().items()
    assert still == {name for name, variable in weights if not variable.trainable}
    # Biases of convolutions that an instance norm cancels; the last layer has no norm.
    assert all(name.endswith("/conv/bias") and "/to_image/" not in name for name in still)
    assert after["step"] == 1
    assert all(np.isfinite(value) for value in one_step.logs.values())


def test_the_weighted_sum_of_the_terms_is_the_loss(one_step):
    terms = {name: value for name, value in one_step.logs.items() if name not in ("loss_d", "loss_g")}
    weight_of = one_step.model.loss_weight
    weighted = {name: weight_of(name.split("/")[0]) * value for name, value in terms.items()}
    loss_d = sum(value for name, value in weighted.items() if name.startswith("adv_d"))
    assert one_step.logs["loss_d"] == pytest.approx(loss_d, rel=1e-6)
    assert one_step.logs["loss_g"] == pytest.approx(sum(weighted.values()) - loss_d, rel=1e-6)


def assert_two_replicas_take_the_step_of_one(method, mirrored, run_eagerly, **options):
    """With the additions, which replicas compute too."""
    options = {**fewer_layers(method), **ADDITIONS, **options}
    model = seeded(method, **options)
    batch = tiny_batch(model, 4)
    losses_1, values_1 = model.train_step(batch), values(model)
    with mirrored.scope():
        model = seeded(method, **options)
        model.compile(image_size=batch["a"].shape[1:3], run_eagerly=run_eagerly)
    sharding = tf.data.Options()
    sharding.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    history = model.fit(tf.data.Dataset.from_tensors(batch).with_options(sharding), verbose=0).history
    values_2 = values(model)
    for name, value in losses_1.items():
        assert history[name] == [pytest.approx(float(value), rel=1e-9)], name
    for name, value in values_1.items():
        np.testing.assert_allclose(values_2[name], value, rtol=1e-5, atol=1e-9, err_msg=name)


def test_two_replicas_take_the_step_of_one(method, policy, mirrored):
    """Weights after a step, and each loss, do not depend on the number of devices.

    In float64: in float32 Adam turns the rounding noise of a gradient near 0 into a full step. Not in a
    graph, whose making takes ten times as long.
    """
    policy("float64")
    assert_two_replicas_take_the_step_of_one(method, mirrored, run_eagerly=True)


def test_two_replicas_in_a_graph(policy, mirrored):
    """As `fit` runs by default; one method stands for all, since the step is the base's."""
    policy("float64")
    small = dict(num_scales=1, cycle_weight=0)
    assert_two_replicas_take_the_step_of_one("munit", mirrored, run_eagerly=False, **small)


def test_recompute_changes_no_result(method, policy, monkeypatch):
    """Nor spectral normalization's state.

    Every block runs twice, but for those with that state and DRIT's two of a discriminator's update.
    """
    policy("float64")
    runs_of_block, run, results = [], ConvBlock._run, []
    monkeypatch.setattr(
        ConvBlock, "_run", lambda self, *a, **b: runs_of_block.append(self) or run(self, *a, **b)
    )
    model = seeded(method, dis_norm="spectral")
    before = values(model)
    for recompute in (False, True):
        model.compile(image_size=(image_side(model),) * 2, recompute=recompute)
        for name, variable in model.named_state().items():
            variable.assign(before[name])
        runs_of_block.clear()
        logs = model.train_step(tiny_batch(model, 1))
        counts = collections.Counter(block.conv.spectral_norm for block in runs_of_block)
        results.append((counts, {**values(model), **logs}))
    (counts, plain), (higher_counts, recomputed) = results
    assert higher_counts[True] == counts[True]
    assert higher_counts[False] == 2 * counts[False] - (2 if method == "drit" else 0)
    for name, value in plain.items():
        np.testing.assert_allclose(recomputed[name], value, rtol=1e-9, atol=1e-9, err_msg=name)


def test_saves_and_restores(method, one_step, tmp_path):
    folder = run_folder.RunFolder(tmp_path)
    loading.checkpoint_manager(folder, one_step.model, keep=2).save()
    other = tiny(method)
    checkpoints.restore(other.named_state(), folder.newest_checkpoint())
    for name, value in one_step.after.items():
        np.testing.assert_array_equal(other.named_state()[name].numpy(), value, err_msg=name)


def test_translates_both_sizes_and_repeats(one_step):
    model = one_step.model
    size = max(16, model.config.smallest_size)
    shape = 2, size, size + model.config.size_multiple, 3
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")
    for direction in model.directions:
        first, again, other = (model.translate(images, direction, seed=seed).numpy() for seed in (5, 5, 6))
        assert first.shape == images.shape and first.dtype == np.float32
        assert np.abs(first).max() <= 1
        np.testing.assert_array_equal(first, again)
        if model.style_dim:
            assert np.abs(first - other).max() > 1e-6


def test_exports(one_step, tmp_path):
    """A SavedModel of all that it has, and TFLite files, which the export itself holds against it."""
    model = one_step.model
    size = max(16, model.config.smallest_size)
    formats = ("saved_model", "tflite")
    rows = exporter.export(
        model, tmp_path, formats=formats, quantize="none", max_pixels=2**20, image_size=(size, size)
    )
    directions = {"a2b": "serving_default", "b2a": "serve_b2a"}
    signatures = {name for path, name, *_ in rows if path == tmp_path / "1"}
    assert signatures == {*model.signatures(), *(directions[name] for name in model.directions)}
    assert {f"translate_{name}" for name in model.directions} <= signatures
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"1", *(f"translate_{name}.tflite" for name in model.directions)}
    assert {path.name for path, *_ in rows} == files


@pytest.mark.parametrize("name, dis_norm", [("mixed_bfloat16", "none"), ("mixed_float16", "spectral")])
def test_half_precision_takes_steps(method, one_step, name, dis_norm, policy):
    """Weights stay float32, losses agree with float32's roughly, and float16 does not skip every step.

    Only MUNIT starts with the default loss scale, which is too large at first. The others start with a
    smaller one, to save steps.
    """
    batch = tiny_batch(one_step.model, 2)
    if dis_norm == one_step.model.config.dis_norm:
        expected = one_step.logs
    else:
        expected = seeded(method, dis_norm=dis_norm).train_step(batch)
    policy(name)
    model = seeded(method, dis_norm=dis_norm)
    if name == "mixed_float16" and method != "munit":
        for optimizer in (model.discriminator_optimizer, model.generator_optimizer):
            keras_compat.loss_scaling_variables(optimizer)["loss_scale"].assign(1024)
    before = values(model)
    logs = model.train_step(batch)
    for term, value in logs.items():
        assert value.dtype == tf.float32
        assert float(value) == pytest.approx(float(expected[term]), rel=0.1, abs=0.02), term
    # Of biases, the halves of a last one's gradient may cancel where they are rounded to half precision.
    kernels = [name for name in model.named_weights() if name.endswith("kernel")]
    for _ in range(12):
        after = values(model)
        still = [name for name in kernels if np.array_equal(before[name], after[name])]
        if not still:
            break
        model.train_step(batch)
    assert still == []
    assert all(value.dtype != np.float16 for value in after.values())
    assert all(np.isfinite(after[name]).all() for name in model.named_weights())


def test_its_runs_translate_files(method, tmp_path, eagerly):
    run = make_run(tmp_path / "run", method)
    make_images(tmp_path / "photos", [(24, 24), (31, 50)])
    model = munit_tf.load(run)
    argv = [f"--run={run}", f"--input={tmp_path / 'photos'}", "--batch_size=6"]
    for direction in model.directions:
        out = tmp_path / direction
        assert translate.main([*argv, f"--direction={direction}", f"--output={out}"]) == 0
        count = 10 if model.style_dim else 1
        names = [f"image{i}_{k}.png" for i in range(2) for k in range(count)]
        codes = [f"image{i}_styles.npy" for i in range(2)] if model.style_dim else []
        assert sorted(files(out)) == sorted([*names, *codes, "grid.png", "translate.json"])
        assert {read(out / name).shape for name in names} == {(24, 24, 3), (38, 24, 3)}
        image = read(tmp_path / "photos" / "image0.png").astype("float32") / 127.5 - 1
        style = dict(style=np.load(out / "image0_styles.npy")) if codes else {}
        results = model.translate(np.stack([image] * count), direction, **style).numpy()
        for k, result in enumerate(results):
            np.testing.assert_allclose(read(out / f"image0_{k}.png"), (result + 1) * 127.5, atol=0.501)
