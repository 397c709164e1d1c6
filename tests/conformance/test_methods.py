"""The guarantees that every method gives. A new method adds a line to `methods.TINY`."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import TINY, tiny, tiny_batch
from translation.run_folders import files, make_images, make_run, read

import munit_tf
from munit_tf import runs, translate
from munit_tf.serving import writing


@pytest.fixture(params=sorted(munit_tf.METHODS))
def method(request):
    return request.param


def seeded(method, **options):
    keras.utils.set_random_seed(7)
    return tiny(method, **options)


def values(model):
    return {name: variable.numpy() for name, variable in model.named_state().items()}


def test_every_method_is_here():
    assert set(TINY) == set(munit_tf.METHODS)


def test_one_step_moves_every_weight(method):
    model = seeded(method)
    before = values(model)
    logs = model.train_step(tiny_batch(model, 2))
    after = values(model)
    still = [name for name in model.named_weights() if np.array_equal(before[name], after[name])]
    assert still == []
    assert after["step"] == 1
    assert all(np.isfinite(value) for value in logs.values())


def test_the_weighted_sum_of_the_terms_is_the_loss(method):
    model = seeded(method)
    logs = {name: float(value) for name, value in model.train_step(tiny_batch(model, 2)).items()}
    totals = {"loss_d": logs.pop("loss_d"), "loss_g": logs.pop("loss_g")}
    weighted = {name: model.weight_of_term(name.split("/")[0]) * value for name, value in logs.items()}
    loss_d = sum(value for name, value in weighted.items() if name.startswith("adv_d"))
    assert totals["loss_d"] == pytest.approx(loss_d, rel=1e-6)
    assert totals["loss_g"] == pytest.approx(sum(weighted.values()) - loss_d, rel=1e-6)


def test_two_replicas_take_the_step_of_one(method, policy, mirrored):
    """Weights after a step, and each loss, do not depend on the number of devices.

    In float64: in float32 Adam turns the rounding noise of a zero gradient, such as that of a bias
    before an instance norm, into a full step.
    """
    policy("float64")
    results = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            model = seeded(method)
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        data = tf.data.Dataset.from_tensors(tiny_batch(model, 4)).with_options(options)
        history = model.fit(data, verbose=0).history
        results.append((history, values(model)))
    (history_1, values_1), (history_2, values_2) = results
    for name, value in history_1.items():
        assert history_2[name] == pytest.approx(value, rel=1e-9), name
    for name, value in values_1.items():
        np.testing.assert_allclose(values_2[name], value, rtol=1e-5, atol=1e-9, err_msg=name)


def test_saves_and_restores(method, tmp_path):
    model = seeded(method)
    model.train_step(tiny_batch(model, 2))
    manager = runs.checkpoint_manager(runs.RunFolder(tmp_path), model, keep=2)
    path = manager.save(checkpoint_number=1)
    other = tiny(method)
    runs.restore(other.named_state(), path)
    for name, value in values(model).items():
        np.testing.assert_array_equal(other.named_state()[name].numpy(), value, err_msg=name)


def test_translates_both_sizes_and_repeats(method):
    model = seeded(method)
    size = max(16, model.config.smallest_size)
    images = (
        np.random.default_rng(0)
        .uniform(-1, 1, (2, size, size + model.config.size_multiple, 3))
        .astype("float32")
    )
    for direction in model.directions:
        first, again, other = (model.translate(images, direction, seed=seed).numpy() for seed in (5, 5, 6))
        assert first.shape == images.shape and first.dtype == np.float32
        assert np.abs(first).max() <= 1
        np.testing.assert_array_equal(first, again)
        if model.style_dim:
            assert np.abs(first - other).max() > 1e-6


def test_exports(method, tmp_path):
    """A SavedModel of all that it has, and TFLite files, which the export itself holds against it."""
    model = seeded(method)
    size = max(16, model.config.smallest_size)
    formats = ("saved_model", "tflite")
    rows = writing.export(
        model, tmp_path, formats=formats, quantize="none", max_pixels=2**20, image_size=(size, size)
    )
    directions = {"a2b": "serving_default", "b2a": "serve_b2a"}
    signatures = {name for path, name, *_ in rows if path == tmp_path / "1"}
    assert signatures == {*model.signatures(), *(directions[name] for name in model.directions)}
    assert {f"translate_{name}" for name in model.directions} <= signatures
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"1", *(f"translate_{name}.tflite" for name in model.directions)}
    assert {path.name for path, *_ in rows} == files


@pytest.mark.parametrize("dis_norm", ["none", "spectral"])
@pytest.mark.parametrize("name", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_takes_steps(method, name, dis_norm, policy):
    """Weights stay float32, losses agree with float32's roughly, and float16 skips no step for ever."""
    expected = seeded(method, dis_norm=dis_norm).train_step(tiny_batch(seeded(method), 2))
    policy(name)
    model = seeded(method, dis_norm=dis_norm)
    before = values(model)
    logs = model.train_step(tiny_batch(model, 2))
    for term, value in logs.items():
        assert value.dtype == tf.float32
        assert float(value) == pytest.approx(float(expected[term]), rel=0.1, abs=0.02), term
    for _ in range(3):
        model.train_step(tiny_batch(model, 2))
    after = values(model)
    assert all(value.dtype != np.float16 for value in after.values())
    still = [name for name in model.named_weights() if np.array_equal(before[name], after[name])]
    assert [name for name in still if not name.endswith("singular_vector")] == []
    assert all(np.isfinite(after[name]).all() for name in model.named_weights())


def test_its_runs_translate_files(method, tmp_path):
    run = make_run(tmp_path / "run", method)
    make_images(tmp_path / "photos", [(24, 24), (31, 50)])
    model = munit_tf.load(run)
    argv = [f"--run={run}", f"--input={tmp_path / 'photos'}", "--batch_size=3"]
    for direction in model.directions:
        out = tmp_path / direction
        assert translate.main([*argv, f"--direction={direction}", f"--output={out}"]) == 0
        count = 10 if model.style_dim else 1
        names = [f"image{i}_{k}.png" for i in range(2) for k in range(count)]
        codes = [f"image{i}_styles.npy" for i in range(2)] if model.style_dim else []
        assert sorted(files(out)) == sorted([*names, *codes, "grid.png", "translate.json"])
        assert {read(out / name).shape for name in names} == {(24, 24, 3), (38, 24, 3)}
        image = read(tmp_path / "photos" / "image0.png").astype("float32")[np.newaxis] / 127.5 - 1
        for k in range(count):
            style = dict(style=np.load(out / "image0_styles.npy")[k : k + 1]) if codes else {}
            result = model.translate(image, direction, **style).numpy()[0]
            np.testing.assert_allclose(read(out / f"image0_{k}.png"), (result + 1) * 127.5, atol=0.501)
