"""How much memory networks need at least, estimated from their options before anything is allocated.

The estimates are low on purpose, so that nothing that fits is refused.
"""

from __future__ import annotations

from munit_tf import machine
from munit_tf.config.schema import MethodConfig, costly, one_of

_WEIGHT_BYTES = 4
# Values that a training step keeps for the gradient, per pixel and channel of the first convolution. Measured
# for MUNIT with cycle loss, 256 and 512 pixels: 94 and more; with recomputation 38 and more.
_KEPT = 30
_KEPT_WITH_RECOMPUTATION = 10
# The same for BicycleGAN's U-Net, whose first convolution halves the resolution.
_KEPT_OF_U_NET = 4
# Bytes that a translation takes at once, per pixel and channel of the first convolution. Measured in float32:
# 27 and more; for the U-Net 4.
_TRANSLATION_BYTES = 6
_TRANSLATION_BYTES_OF_U_NET = 2


def approximate_weights(config: MethodConfig) -> int:
    """The number of weights of the large convolutions of a method: less than its exact number of weights.

    The residual blocks of an encoder and a decoder for each domain and what modulates them, or a U-Net; and
    the discriminators.
    """
    dim, depth = config.gen_dim, config.num_downsample
    if _has_u_net(config):
        widths = [dim * min(2**i, 8) for i in range(depth)]
        generators = sum(16 * (a + config.style_dim) * b for a, b in zip(widths, widths[1:]))
    else:
        channels = dim * 2**depth
        generators = 2 * config.num_res_blocks * 2 * 9 * channels**2
        generators += 2 * sum(9 * (dim * 2**i) * (dim * 2 ** (i + 1)) for i in range(depth))
        mlp_dim = getattr(config, "mlp_dim", 0)
        generators += 2 * mlp_dim * (mlp_dim + config.num_res_blocks * 4 * channels)
    widths = [config.dis_dim * min(2**i, 8) for i in range(config.num_dis_layers)]
    discriminators = config.num_scales * sum(16 * a * b for a, b in zip(widths, widths[1:]))
    return generators + 2 * discriminators


def check_networks(config: MethodConfig) -> None:
    """Refuses networks whose weights do not fit in memory.

    Raises:
        InputError: they do not fit; it names the options that are larger than usual.
    """
    large = costly(config)
    if large:
        size = config.smallest_size  # The networks run once at this size when they are built.
        machine.require(
            _WEIGHT_BYTES * approximate_weights(config) + _translation_bytes(config, 1, size, size),
            f"{' '.join(large.values())}: the networks need",
            f"lower {one_of(large)}",
        )


def step_bytes(
    config: MethodConfig, batch_size: int, image_size: tuple[int, int], value_bytes: int, recompute: bool
) -> float:
    """Bytes that a training step needs at least: weights, gradients, moments, and what the gradient needs.

    Args:
        config: the method's options.
        batch_size: images of each domain on one device.
        image_size: (height, width) in pixels.
        value_bytes: bytes of a value in a feature map.
        recompute: whether feature maps are computed again for the gradient.
    """
    kept = _KEPT_WITH_RECOMPUTATION if recompute else _KEPT
    if _has_u_net(config):
        kept = _KEPT_OF_U_NET
    height, width = image_size
    maps = kept * batch_size * height * width * config.gen_dim
    return 4 * _WEIGHT_BYTES * approximate_weights(config) + value_bytes * maps


def check_translation(config: MethodConfig, count: int, height: int, width: int, what: str) -> None:
    """Refuses images that cannot be translated at once.

    Args:
        config: the method's options.
        count: how many images at once.
        height: of each, in pixels.
        width: of each, in pixels.
        what: what asks for it, such as a file or a flag.

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
    return not hasattr(config, "num_res_blocks")
