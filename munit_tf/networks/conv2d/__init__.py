"""2-D convolution of feature maps with reflected borders, also at twice the resolution.

The other modules of this package are faster algorithms that `conv2d` uses.
"""

from __future__ import annotations

import itertools

import tensorflow as tf

from munit_tf.networks import graph_target
from munit_tf.networks.conv2d import winograd
from munit_tf.networks.conv2d.padding import pad
from munit_tf.networks.conv2d.sub_pixel import UPSAMPLED_KERNELS, upsampled_conv2d

PADDING_MODES = {"reflect": "REFLECT", "zero": "CONSTANT"}
_FEW_CHANNELS = 4


def conv2d(
    x: tf.Tensor,
    kernel: tf.Tensor,
    stride: int = 1,
    padding: int = 0,
    padding_mode: str = "reflect",
    upsample: bool = False,
) -> tf.Tensor:
    """A convolution without bias, by the algorithm that is fastest for the shape and the device.

    Args:
        x: [N,H,W,C_in].
        kernel: [K,K,C_in,C_out], of x's type or wider.
        stride: in pixels.
        padding: width of the border on each side, in pixels.
        padding_mode: "reflect" or "zero".
        upsample: double the resolution of `x` first by nearest-neighbor upsampling. For a kernel of 3 with
            padding 1 or a kernel of 5 with padding 2, and stride 1.

    Returns:
        [N,H',W',C_out], of x's type.

    Raises:
        ValueError: `x` is too small for the reflected border, or `upsample` is not available for the kernel.
    """
    border = PADDING_MODES[padding_mode]
    if upsample:
        if (kernel.shape[0], stride, padding) not in UPSAMPLED_KERNELS:
            raise ValueError(
                f"upsample is not available for a kernel of {kernel.shape[0]} with stride {stride} and "
                f"padding {padding}"
            )
        return upsampled_conv2d(x, kernel, border, _conv2d)
    return _conv2d(x, tf.cast(kernel, x.dtype), stride, padding, border)


def _conv2d(x, kernel, stride, padding, border):
    """`conv2d` without upsampling; `border` is as in tf.pad."""
    if border == "REFLECT" and any(side is not None and side <= padding for side in x.shape[1:3]):
        raise ValueError(
            f"a map of {x.shape[1]}x{x.shape[2]} pixels is too small for a reflected border of {padding}"
        )
    size, _, channels_in, channels_out = kernel.shape
    if stride == 1 and size == 2 * padding + 1 and graph_target.is_for_cpu():
        if size == 3 and border != "CONSTANT" and winograd.is_faster(x, kernel):
            return winograd.convolve(x, kernel, border)
        if size >= 7 and channels_out <= _FEW_CHANNELS < channels_in:
            return _conv2d_in_phases(x, kernel, padding, border)
    return tf.nn.conv2d(pad(x, padding, border), kernel, stride, "VALID")


def _conv2d_in_phases(x, kernel, padding, border):
    """A convolution of stride 1 as one of stride 2, with one filter for each of 2x2 outputs.

    With few filters most of a vector register is unused. For a kernel of 7 this needs a third more
    multiplications but less than half of the time.
    """
    size, _, channels_in, channels_out = kernel.shape
    _, height, width, _ = graph_target.sizes(x)
    x = pad(x, padding, border, more=(height % 2, width % 2))
    shifted = [
        tf.pad(kernel, [[p, 1 - p], [q, 1 - q], [0, 0], [0, 0]])
        for p, q in itertools.product((0, 1), repeat=2)
    ]
    phases = tf.reshape(tf.stack(shifted, axis=3), [size + 1, size + 1, channels_in, 4 * channels_out])
    y = tf.nn.depth_to_space(tf.nn.conv2d(x, phases, 2, "VALID"), 2)
    return y[:, :height, :width]
