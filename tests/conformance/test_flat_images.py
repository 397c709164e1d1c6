"""Images without contrast: rounding must not decide what they are translated to."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import TINY, tiny, tiny_batch

import munit_tf
from munit_tf.networks.normalization import variation_of

pytestmark = pytest.mark.usefixtures("eagerly")

# CycleGAN's noise needs a first convolution without instance norm, which exact values need.
WITHOUT_NOISE = {"cyclegan": {"noise_dim": 0}}
COLOR = (0.3, -0.7, 0.11)
KINDS = ("constant", "one level in one pixel", "varying by 3e-5")


def make(method, dtype, **options):
    """A tiny model with the same large random weights in every precision; `dtype` must be the policy."""
    model = munit_tf.create(method, **{**TINY[method], **WITHOUT_NOISE.get(method, {}), **options})
    rng = np.random.default_rng(0)
    for name, weight in sorted(model.named_weights().items()):
        scale = np.sqrt(2 / np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.1
        weight.assign(tf.cast(scale * rng.standard_normal(weight.shape) + name.endswith("gamma"), dtype))
    return model


def flat_image(size, kind):
    image = np.broadcast_to(np.float32(COLOR), (1, size, size, 3)).copy()
    if kind == "one level in one pixel":
        image[0, 20, 30, 1] += 2 / 255
    if kind == "varying by 3e-5":
        image += np.random.default_rng(1).uniform(0, 3e-5, image.shape).astype(np.float32)
    return image


@pytest.mark.parametrize(
    "method, options",
    [(method, {}) for method in sorted(munit_tf.METHODS)] + [("munit", {"gen_dim": 64})],
    ids=lambda value: value if isinstance(value, str) else "wide" if value else "tiny",
)
def test_float32_gives_what_float64_gives(method, options, policy):
    """Rounding alone would make them differ by up to 1.4.

    They differ by up to 5e-5 with two threads and 1e-4 with one, which sums in another order.
    """
    results = []
    for dtype in ("float32", "float64"):
        policy(dtype)
        model = make(method, dtype, **options)
        size = max(64, model.config.smallest_size)
        images = [tf.constant(flat_image(size, kind), dtype) for kind in KINDS]
        style = {"style": tf.ones([1, model.style_dim], dtype)} if model.style_dim else {}
        results.append([model.translate(x, model.directions[0], **style).numpy()[0] for x in images])
    for kind, *translations in zip(KINDS, *results):
        np.testing.assert_allclose(*translations, rtol=0, atol=2e-4, err_msg=kind)
    if method in ("munit", "unit", "miso", "drit"):
        constant = results[0][KINDS.index("constant")]
        assert np.ptp(constant, axis=(0, 1)).max() < 1e-5


@pytest.mark.parametrize("method", sorted(munit_tf.METHODS))
def test_training_on_constant_images_stays_finite(method):
    keras.utils.set_random_seed(7)
    model = tiny(method)
    batch = tiny_batch(model, 2)
    for domain in "ab":
        batch[domain] = np.broadcast_to(np.float32(COLOR), batch[domain].shape).copy()
    for _ in range(3):
        logs = model.train_step(batch)
    assert all(np.isfinite(value) for value in logs.values())
    assert all(np.isfinite(variable.numpy()).all() for variable in model.named_state().values())


def test_variation_of_each_image():
    flat, almost, varied = np.full((3, 4, 4, 2), 0.5, np.float32)
    almost[1, 2, 1] += 1e-5
    varied[3, 3, 0] += 2e-5
    images = tf.constant(np.stack([flat, almost, varied]))
    assert variation_of(images, "reflect").numpy().ravel().tolist() == [0, 0, 1]
    assert variation_of(images, "zero").numpy().ravel().tolist() == [1, 1, 1]
