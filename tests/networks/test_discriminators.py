"""What each logit of a discriminator sees."""

import numpy as np
import pytest
import tensorflow as tf

from munit_tf.networks.discriminators import (
    ContentDiscriminator,
    PatchDiscriminator,
    smallest_content_size,
    smallest_patch_size,
)


@pytest.mark.parametrize("num_layers, patch", [(1, 16), (2, 34), (3, 70)])
def test_patches_have_the_papers_size(num_layers, patch):
    network = PatchDiscriminator(2, num_layers, 1, "none", "lrelu", "zero")
    images = tf.Variable(tf.random.stateless_uniform([1, 128, 128, 3], [0, 0]))
    with tf.GradientTape() as tape:
        (logits,) = network(images)
        middle = logits.shape[1] // 2
        logit = logits[0, middle, middle, 0]
    seen = np.abs(tape.gradient(logit, images).numpy()).sum(axis=(0, 3)) > 0
    assert seen.any(axis=0).sum() == seen.any(axis=1).sum() == patch


@pytest.mark.parametrize("num_layers, num_scales", [(2, 1), (3, 1), (2, 2)])
def test_smallest_patch_size(num_layers, num_scales):
    network = PatchDiscriminator(2, num_layers, num_scales, "instance", "lrelu", "zero")
    size = smallest_patch_size(num_layers, num_scales)
    assert network(tf.zeros([1, size, size, 3]))[-1].shape == (1, 1, 1, 1)


def test_widths_and_norms_of_a_patch_discriminator():
    network = PatchDiscriminator(2, 4, 1, "instance", "lrelu", "zero")
    network(tf.zeros([1, 64, 64, 3]))
    *blocks, last = network.scales[0]
    assert [block.conv.kernel.shape[-1] for block in blocks] == [2, 4, 8, 16, 16]
    assert [block.norm is None for block in blocks] == [True, False, False, False, False]
    assert last.kernel.shape == (4, 4, 16, 1)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_content_discriminator_halves_down_to_two_pixels(num_layers):
    size = smallest_content_size(num_layers)
    network = ContentDiscriminator(4, num_layers)
    assert network(tf.zeros([1, size, size, 4]))[0].shape == (1, 2, 2, 1)
    with pytest.raises(ValueError, match="too small for a reflected border"):
        ContentDiscriminator(4, num_layers)(tf.zeros([1, size // 2, size // 2, 4]))
