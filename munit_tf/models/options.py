"""Options that methods share."""

import dataclasses
from typing import Any

from munit_tf.config.schema import MOST_STEPS, MethodConfig, option
from munit_tf.errors import InputError
from munit_tf.losses.adversarial import GAN_LOSSES
from munit_tf.networks import layers
from munit_tf.networks.conv2d import PADDING_MODES
from munit_tf.networks.discriminators import smallest_patch_size, smallest_size

_DIS_NORMS = ("none", "instance", "layer", "spectral")
_ACTIVATIONS = (*layers.ACTIVATIONS, "prelu")
PADDINGS = tuple(PADDING_MODES)


def width(default: int, help: str, *, minimum: int = 1, maximum: int = 100_000) -> Any:
    """An option that is a number of channels, units or dimensions."""
    return option(default, help, minimum=minimum, maximum=maximum, memory=True)


def code_length(default: int, help: str, *, minimum: int = 1) -> Any:
    """An option that is the length of a style code or noise vector."""
    return width(default, help, minimum=minimum, maximum=4096)


def depth(default: int, help: str, *, minimum: int = 1, maximum: int = 12) -> Any:
    """An option that is a number of layers, blocks or scales."""
    return option(default, help, minimum=minimum, maximum=maximum, memory=True)


def weight(default: float, help: str, *, minimum: float = 0) -> Any:
    """An option that is a factor: of a loss term, of L2, or a learning rate."""
    return option(default, help, minimum=minimum, maximum=1e9)


def schedule(default: int, help: str) -> Any:
    """An option that is a number of steps of the learning rate's schedule."""
    return option(default, help, minimum=0, maximum=MOST_STEPS)


@dataclasses.dataclass(frozen=True)
class TranslatorConfig(MethodConfig):
    """Networks, adversarial loss and optimisers; the defaults are those of MUNIT's paper."""

    gen_dim: int = width(64, "channels after an encoder's first convolution")
    num_downsample: int = depth(2, "stride-2 convolutions of the content encoder", minimum=0)
    gen_activation: str = option("relu", "of encoders and decoders", choices=_ACTIVATIONS)
    gen_padding: str = option("reflect", "of encoders and decoders", choices=PADDINGS)
    dis_dim: int = width(64, "channels after a discriminator's first convolution")
    num_dis_layers: int = depth(4, "stride-2 convolutions of a discriminator, at each scale")
    num_scales: int = depth(3, "resolutions that a discriminator looks at")
    dis_norm: str = option("none", "of the discriminators", choices=_DIS_NORMS)
    dis_activation: str = option("lrelu", "of the discriminators", choices=_ACTIVATIONS)
    dis_padding: str = option("reflect", "of the discriminators", choices=PADDINGS)
    gan_loss: str = option("lsgan", "adversarial loss", choices=GAN_LOSSES)
    gan_weight: float = weight(1.0, "weight of the adversarial loss", minimum=1e-9)
    learning_rate: float = weight(1e-4, "Adam's, at first")
    learning_rate_half_life_steps: int = schedule(
        100_000, "steps after which the learning rate halves; 0: it does not"
    )
    learning_rate_constant_steps: int = schedule(
        0, "steps before the learning rate falls linearly, with --learning_rate_decay_steps"
    )
    learning_rate_decay_steps: int = schedule(0, "steps in which it falls linearly to 0; 0: it does not")
    beta_1: float = option(0.5, "Adam's", minimum=0, maximum=0.999999)
    beta_2: float = option(0.999, "Adam's", minimum=0, maximum=0.999999)
    weight_decay: float = weight(1e-4, "L2 added to the gradient")

    @property
    def size_multiple(self):
        """What the content encoder divides by, in pixels."""
        return 2**self.num_downsample

    def content_shape(self, height, width):
        """The content encoder's output [H',W',C] for an image of height and width, in pixels."""
        multiple = self.size_multiple
        return height // multiple, width // multiple, self.gen_dim * multiple

    @property
    def smallest_input(self):
        """The least height and width that encoders and decoder take, in pixels."""
        # 16: the style encoder's fourth downsampling needs two pixels, as do the residual blocks.
        return max(16, 2 * self.size_multiple)

    @property
    def smallest_size(self):
        """The least height and width of training images, in pixels."""
        discriminators = smallest_size(self.num_dis_layers, self.num_scales)
        return max(self.smallest_input, 4 * self.size_multiple, discriminators)

    def check_run(self, data, train):
        """See MethodConfig.check_run; a learning rate must be left at every step."""
        end = self.learning_rate_constant_steps + self.learning_rate_decay_steps
        if self.learning_rate_decay_steps and train.steps > end:
            raise InputError(
                f"--steps={train.steps} goes on after the learning rate is 0: --learning_rate_constant_steps="
                f"{self.learning_rate_constant_steps} and --learning_rate_decay_steps="
                f"{self.learning_rate_decay_steps} end at step {end}; make them fit"
            )

    def discriminator(self):
        """Arguments of a MultiScaleDiscriminator."""
        return dict(
            dim=self.dis_dim,
            num_layers=self.num_dis_layers,
            num_scales=self.num_scales,
            norm=self.dis_norm,
            activation=self.dis_activation,
            padding_mode=self.dis_padding,
        )


@dataclasses.dataclass(frozen=True)
class ResidualConfig(TranslatorConfig):
    """The same, and residual blocks."""

    num_res_blocks: int = depth(4, "residual blocks of encoder and decoder, each", maximum=64)


@dataclasses.dataclass(frozen=True)
class PatchConfig(TranslatorConfig):
    """The same with a PatchDiscriminator; the defaults are those of CycleGAN's paper."""

    num_dis_layers: int = depth(3, "stride-2 convolutions of a discriminator, at each scale")
    num_scales: int = depth(1, "resolutions that a discriminator looks at")
    dis_norm: str = option("instance", "of the discriminators", choices=_DIS_NORMS)
    dis_padding: str = option("zero", "of the discriminators", choices=PADDINGS)
    learning_rate: float = weight(2e-4, "Adam's, at first")
    learning_rate_half_life_steps: int = schedule(
        0, "steps after which the learning rate halves; 0: it does not"
    )
    learning_rate_constant_steps: int = schedule(
        500_000, "steps before the learning rate falls linearly, with --learning_rate_decay_steps"
    )
    learning_rate_decay_steps: int = schedule(
        500_000, "steps in which it falls linearly to 0; 0: it does not"
    )
    weight_decay: float = weight(0.0, "L2 added to the gradient")

    @property
    def smallest_input(self):
        """The least height and width that the generators take, in pixels."""
        return 2 * self.size_multiple

    @property
    def smallest_size(self):
        """The least height and width of training images, in pixels."""
        least = max(self.smallest_input, smallest_patch_size(self.num_dis_layers, self.num_scales))
        return -(-least // self.size_multiple) * self.size_multiple
