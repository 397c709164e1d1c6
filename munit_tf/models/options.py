"""Options that methods share."""

import dataclasses

from munit_tf.config import MethodConfig, option
from munit_tf.losses.adversarial import GAN_LOSSES
from munit_tf.networks.discriminators import smallest_size
from munit_tf.networks.layers import ACTIVATIONS, PADDINGS

_ACTIVATIONS = (*ACTIVATIONS, "prelu")
_PADDINGS = tuple(PADDINGS)


@dataclasses.dataclass(frozen=True)
class TranslatorConfig(MethodConfig):
    """Networks, adversarial loss and optimisers; the defaults are those of MUNIT's paper."""

    gen_dim: int = option(64, "channels after an encoder's first convolution", minimum=1)
    num_downsample: int = option(2, "stride-2 convolutions of the content encoder", minimum=0)
    num_res_blocks: int = option(4, "residual blocks of encoder and decoder, each", minimum=1)
    gen_activation: str = option("relu", "of encoders and decoders", choices=_ACTIVATIONS)
    gen_padding: str = option("reflect", "of encoders and decoders", choices=_PADDINGS)
    dis_dim: int = option(64, "channels after a discriminator's first convolution", minimum=1)
    num_dis_layers: int = option(4, "stride-2 convolutions of a discriminator, at each scale", minimum=1)
    num_scales: int = option(3, "resolutions that a discriminator looks at", minimum=1)
    dis_norm: str = option("none", "of the discriminators", choices=("none", "instance", "layer", "spectral"))
    dis_activation: str = option("lrelu", "of the discriminators", choices=_ACTIVATIONS)
    dis_padding: str = option("reflect", "of the discriminators", choices=_PADDINGS)
    gan_loss: str = option("lsgan", "adversarial loss", choices=GAN_LOSSES)
    gan_weight: float = option(1.0, "weight of the adversarial loss", minimum=1e-9)
    learning_rate: float = option(1e-4, "Adam's, at first", minimum=0)
    learning_rate_half_life_steps: int = option(
        100_000, "steps after which the learning rate halves", minimum=1
    )
    beta_1: float = option(0.5, "Adam's", minimum=0, maximum=0.999999)
    beta_2: float = option(0.999, "Adam's", minimum=0, maximum=0.999999)
    weight_decay: float = option(1e-4, "L2 added to the gradient", minimum=0)

    @property
    def size_multiple(self):
        """What the content encoder divides by, in pixels."""
        return 2**self.num_downsample

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
