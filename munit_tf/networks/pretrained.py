"""Networks with published weights."""

import os

import keras
import tensorflow as tf

_CAFFE_MEAN_BGR = (103.939, 116.779, 123.680)
# Convolutions between two pools; the authors' VGG-16 has no pool between conv4_3 and conv5_1.
_VGG16_BLOCKS = (2, 2, 3, 6)
_VGG16_CONVS = 13


class VGG16Features:
    """relu5_3 of the VGG-16 that MUNIT's authors use: [N,H,W,3] in [-1, 1] -> [N,H/8,W/8,512].

    It has three pools, one less than the stock network before that layer; the stock weights fit.

    Args:
        weights: 13 pairs (kernel [3,3,C_in,C_out], bias [C_out]), in order, for images as Caffe has
            them: BGR in 0..255 less the mean.
    """

    def __init__(self, weights):
        if len(weights) != _VGG16_CONVS:
            raise ValueError(f"VGG-16 has {_VGG16_CONVS} convolutions before relu5_3; got {len(weights)}")
        self._weights = [(tf.constant(kernel), tf.constant(bias)) for kernel, bias in weights]

    def __call__(self, images):
        """Images [N,H,W,3] in [-1, 1] -> features [N,H/8,W/8,512], of the images' type."""
        x = (images[..., ::-1] + 1) * 127.5 - tf.constant(_CAFFE_MEAN_BGR, images.dtype)
        weights = iter(self._weights)
        for block, num_convs in enumerate(_VGG16_BLOCKS):
            x = tf.nn.max_pool2d(x, 2, 2, "VALID") if block else x
            for _ in range(num_convs):
                kernel, bias = next(weights)
                x = tf.nn.conv2d(x, tf.cast(kernel, x.dtype), 1, "SAME")
                x = tf.nn.relu(x + tf.cast(bias, x.dtype))
        return x


def load_vgg16(path=None):
    """VGG16Features with the weights that `keras.applications` has for ImageNet.

    Args:
        path: the file `vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5`, or None to download it.

    Raises:
        FileNotFoundError: there is no such file.
        Exception: as Keras raises it, for a file of something else, or where the download fails.
    """
    if path and not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {path}")
    model = keras.applications.VGG16(include_top=False, weights=path or "imagenet")
    convs = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    return VGG16Features([layer.get_weights() for layer in convs])
