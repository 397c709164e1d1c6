"""Lower bounds of the memory that networks need, estimated from their options before they are built.

The estimates are low so that nothing that fits is refused.
"""

from __future__ import annotations

from munit_tf import machine
from munit_tf.config.schema import costly, one_of
from munit_tf.models.options import ResidualConfig, TranslatorConfig

_WEIGHT_BYTES = 4
# Values that a training step keeps for the gradient, per pixel and channel of the first convolution. Measured
# for MUNIT with cycle loss at 256 and 512 pixels: at least 94, with recomputation at least 38.
_KEPT = 30
_KEPT_WITH_RECOMPUTATION = 10
# For BicycleGAN's U-Net, whose first convolution halves the resolution.
_KEPT_OF_U_NET = 4
# Bytes that a translation needs, per pixel and channel of the first convolution. Measured in float32: at
# least 27, for the U-Net at least 4.
_TRANSLATION_BYTES = 6
_TRANSLATION_BYTES_OF_U_NET = 2


def approximate_weights(config: TranslatorConfig) -> int:
    """The number of weights of a method's large convolutions, a lower bound of its number of weights.

    These are, for each domain, the residual blocks of an encoder and a decoder and the MLP for AdaIN, or a
    U-Net; and the discriminators.
    """
    dim, depth = config.gen_dim, config.num_downsample
    if not isinstance(config, ResidualConfig):
        widths = [dim * min(2**i, 8) for i in range(depth)]
        style_dim = getattr(config, "style_dim", 0)
        generators = sum(16 * (a + style_dim) * b for a, b in zip(widths, widths[1:]))
    else:
        channels = dim * 2**depth
        generators = 2 * config.num_res_blocks * 2 * 9 * channels**2
        generators += 2 * sum(9 * (dim * 2**i) * (dim * 2 ** (i + 1)) for i in range(depth))
        mlp_dim = getattr(config, "mlp_dim", 0)
        generators += 2 * mlp_dim * (mlp_dim + config.num_res_blocks * 4 * channels)
    widths = [config.dis_dim * min(2**i, 8) for i in range(config.num_dis_layers)]
    discriminators = config.num_scales * sum(16 * a * b for a, b in zip(widths, widths[1:]))
    return generators + 2 * discriminators


def check_networks(config: TranslatorConfig) -> None:
    """Checks that the weights of the networks fit in memory.

    Raises:
        InputError: they do not fit; the message names the options that are larger than their defaults.
    """
    large = costly(config)
    if large:
        size = config.smallest_size  # Building the networks runs them at this size.
        machine.require(
            _WEIGHT_BYTES * approximate_weights(config) + _translation_bytes(config, 1, size, size),
            f"{' '.join(large.values())}: the networks need",
            f"lower {one_of(large)}",
        )


def step_bytes(
    config: TranslatorConfig, batch_size: int, image_size: tuple[int, int], value_bytes: int, recompute: bool
) -> float:
    """Lower bound of the bytes for a training step: weights, gradients, moments and feature maps.

    Args:
        config: the method's options.
        batch_size: images of each domain on one device.
        image_size: (height, width) in pixels.
        value_bytes: bytes per value of a feature map.
        recompute: whether feature maps are recomputed for the gradient.
    """
    kept = _KEPT_WITH_RECOMPUTATION if recompute else _KEPT
    if _has_u_net(config):
        kept = _KEPT_OF_U_NET
    height, width = image_size
    maps = kept * batch_size * height * width * config.gen_dim
    return 4 * _WEIGHT_BYTES * approximate_weights(config) + value_bytes * maps


def check_translation(config: TranslatorConfig, count: int, height: int, width: int, what: str) -> None:
    """Checks that a batch of images can be translated in the available memory.

    Args:
        config: the method's options.
        count: number of images in the batch.
        height: height of an image, in pixels.
        width: width of an image, in pixels.
        what: the file or flag that the message names.

    Raises:
        InputError: they do not fit in memory.
    """
    images = f"{count} image{'s' if count > 1 else ''} of {height}x{width} pixels"
    machine.require(
        _translation_bytes(config, count, height, width),
        f"{what}: to translate {images} at once needs",
        "take smaller images or a smaller --batch_size",
    )


def _translation_bytes(config, count, height, width):
    per_channel = _TRANSLATION_BYTES_OF_U_NET if _has_u_net(config) else _TRANSLATION_BYTES
    return per_channel * count * height * width * config.gen_dim


def _has_u_net(config):
    return not isinstance(config, ResidualConfig)
