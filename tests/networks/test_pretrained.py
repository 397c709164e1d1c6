"""VGG-16's features and the perceptual loss, against the authors' implementation."""

import numpy as np
import pytest
import tensorflow as tf
from reference import FOLDER

from munit_tf.losses.perceptual import domain_invariant_perceptual_loss
from munit_tf.networks.pretrained import VGG16Relu5

CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


@pytest.fixture(scope="module")
def features():
    """With seeded weights, as `vgg_perceptual.npz` was made."""
    random = np.random.RandomState(20180412)
    weights = []
    for c_in, c_out in zip(CHANNELS, CHANNELS[1:]):
        kernel = (random.randn(3, 3, c_in, c_out) * np.sqrt(2 / (9 * c_in))).astype("float32")
        weights.append((kernel, (random.randn(c_out) * 0.1).astype("float32")))
    return VGG16Relu5(weights)


def test_features_and_loss_are_the_authors(features):
    golden = np.load(FOLDER / "vgg_perceptual.npz")
    image, target = tf.constant(golden["img"]), tf.constant(golden["target"])
    relu5_3 = features(image).numpy()
    scale = np.abs(golden["relu5_3_img"]).max()
    np.testing.assert_allclose(relu5_3, golden["relu5_3_img"], atol=2e-5 * scale)
    for name, other in (("loss", target), ("loss_affine_of_itself", 0.5 * image + 0.1)):
        loss = domain_invariant_perceptual_loss(features(image), features(other))
        assert float(loss) == pytest.approx(float(golden[name]), rel=2e-4), name


def test_number_of_weights_is_checked(features):
    with pytest.raises(ValueError, match="13 convolutions"):
        VGG16Relu5(features._weights[:12])
