"""Options that several methods share."""

import dataclasses
from typing import Any, Optional

from munit_tf.config.options import DataConfig, TrainConfig
from munit_tf.config.schema import MOST_STEPS, MethodConfig, option
from munit_tf.errors import InputError
from munit_tf.losses.adversarial import GAN_LOSSES
from munit_tf.models.augmentation import KINDS
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
    """An option that is a weight of a loss term or of L2, or a learning rate."""
    return option(default, help, minimum=minimum, maximum=1e9)


def schedule(default: int, help: str) -> Any:
    """An option of the learning rate schedule that is a number of steps."""
    return option(default, help, minimum=0, maximum=MOST_STEPS)


@dataclasses.dataclass(frozen=True)
class TranslatorConfig(MethodConfig):
    """Networks, adversarial loss and optimizers; the defaults are those of MUNIT's paper."""

    gen_dim: int = width(64, "channels after an encoder's first convolution")
    num_downsample: int = depth(2, "stride-2 convolutions of the content encoder", minimum=0)
    gen_activation: str = option("relu", "activation of encoders and decoders", choices=_ACTIVATIONS)
    gen_padding: str = option("reflect", "padding of encoders and decoders", choices=PADDINGS)
    dis_dim: int = width(64, "channels after a discriminator's first convolution")
    num_dis_layers: int = depth(4, "stride-2 convolutions of a discriminator, at each scale")
    num_scales: int = depth(3, "number of resolutions of a discriminator")
    dis_norm: str = option("none", "normalization of the discriminators", choices=_DIS_NORMS)
    dis_activation: str = option("lrelu", "activation of the discriminators", choices=_ACTIVATIONS)
    dis_padding: str = option("reflect", "padding of the discriminators", choices=PADDINGS)
    gan_loss: str = option("lsgan", "adversarial loss", choices=GAN_LOSSES)
    gan_weight: float = weight(1.0, "weight of the adversarial loss", minimum=1e-9)
    learning_rate: float = weight(1e-4, "Adam's initial learning rate")
    learning_rate_half_life_steps: int = schedule(
        100_000, "steps after which the learning rate is halved, repeatedly; 0: never"
    )
    learning_rate_constant_steps: int = schedule(
        0, "steps before the linear decay of the learning rate, with --learning_rate_decay_steps"
    )
    learning_rate_decay_steps: int = schedule(
        0, "steps of the linear decay of the learning rate to 0; 0: no decay"
    )
    beta_1: float = option(0.5, "Adam's beta_1", minimum=0, maximum=0.999999)
    beta_2: float = option(0.999, "Adam's beta_2", minimum=0, maximum=0.999999)
    weight_decay: float = weight(1e-4, "weight of L2 regularization, added to the gradient")
    dis_learning_rate: Optional[float] = option(
        None, "initial learning rate of the discriminators (default: --learning_rate)", minimum=0, maximum=1e9
    )
    ema_half_life: int = option(
        0,
        "half-life of the moving average of the generators' weights, in images; other commands use the "
        "average; 0: no average",
        minimum=0,
        maximum=MOST_STEPS,
    )
    r1_weight: float = weight(0.0, "weight of the discriminators' gradient penalty R1; 0: no penalty")
    r1_every: int = option(
        16, "steps between two penalties R1, which are multiplied by it", minimum=1, maximum=MOST_STEPS
    )
    augment: Optional[tuple[str, ...]] = option(
        None,
        "random changes of the images that the discriminators see, real and fake: some of color, "
        "translation, cutout; for a few hundred photos (default: none)",
        choices=tuple(KINDS),
    )
    init: str = option(
        "paper", "initial weights: as in the paper, or orthogonal", choices=("paper", "orthogonal")
    )

    @property
    def lazy_r1_weight(self) -> float:
        """The weight of a penalty R1: gamma / 2, times the steps that it stands for."""
        return self.r1_weight / 2 * self.r1_every

    @property
    def size_multiple(self) -> int:
        """Factor by which the content encoder reduces height and width; see MethodConfig."""
        return 2**self.num_downsample

    def content_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Shape [H',W',C] of the content code of an image; height and width are in pixels."""
        multiple = self.size_multiple
        return height // multiple, width // multiple, self.gen_dim * multiple

    @property
    def smallest_input(self) -> int:
        """The smallest height and width of images for encoders and decoder, in pixels."""
        # The fourth downsampling of the style encoder and the residual blocks need two pixels.
        return max(16, 2 * self.size_multiple)

    @property
    def smallest_size(self) -> int:
        """The smallest height and width of training images, in pixels."""
        discriminators = smallest_size(self.num_dis_layers, self.num_scales)
        return max(self.smallest_input, 4 * self.size_multiple, discriminators)

    def check_run(self, data: DataConfig, train: TrainConfig) -> None:
        """See MethodConfig.check_run; the learning rate must be above 0 at every step."""
        end = self.learning_rate_constant_steps + self.learning_rate_decay_steps
        if self.learning_rate_decay_steps and train.steps > end:
            raise InputError(
                f"--steps={train.steps} goes on after the learning rate is 0: --learning_rate_constant_steps="
                f"{self.learning_rate_constant_steps} and --learning_rate_decay_steps="
                f"{self.learning_rate_decay_steps} end at step {end}; lower --steps or raise one of them"
            )

    def discriminator(self) -> dict[str, Any]:
        """The arguments of a MultiScaleDiscriminator or PatchDiscriminator."""
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
    """TranslatorConfig with residual blocks."""

    num_res_blocks: int = depth(4, "residual blocks of each encoder and decoder", maximum=64)


@dataclasses.dataclass(frozen=True)
class PatchConfig(TranslatorConfig):
    """TranslatorConfig for a PatchDiscriminator; the defaults are those of CycleGAN's paper."""

    num_dis_layers: int = depth(3, "stride-2 convolutions of a discriminator, at each scale")
    num_scales: int = depth(1, "number of resolutions of a discriminator")
    dis_norm: str = option("instance", "normalization of the discriminators", choices=_DIS_NORMS)
    dis_padding: str = option("zero", "padding of the discriminators", choices=PADDINGS)
    learning_rate: float = weight(2e-4, "Adam's initial learning rate")
    learning_rate_half_life_steps: int = schedule(
        0, "steps after which the learning rate is halved, repeatedly; 0: never"
    )
    learning_rate_constant_steps: int = schedule(
        500_000, "steps before the linear decay of the learning rate, with --learning_rate_decay_steps"
    )
    learning_rate_decay_steps: int = schedule(
        500_000, "steps of the linear decay of the learning rate to 0; 0: no decay"
    )
    weight_decay: float = weight(0.0, "weight of L2 regularization, added to the gradient")

    @property
    def smallest_input(self) -> int:
        """The smallest height and width of images for the generators, in pixels."""
        return 2 * self.size_multiple

    @property
    def smallest_size(self) -> int:
        """The smallest height and width of training images, in pixels."""
        least = max(self.smallest_input, smallest_patch_size(self.num_dis_layers, self.num_scales))
        return -(-least // self.size_multiple) * self.size_multiple
