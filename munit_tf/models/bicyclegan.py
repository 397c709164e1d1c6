"""BicycleGAN: Zhu, Zhang, Pathak, Darrell, Efros, Wang, Shechtman, NeurIPS 2017.

"Toward Multimodal Image-to-Image Translation". The style encoder is MUNIT's with a second head. At 256
pixels it is narrower than the ResNet of the paper.
"""

import dataclasses
from typing import Any, Optional

import keras
import tensorflow as tf

from munit_tf.config.options import DataConfig, TrainConfig
from munit_tf.config.schema import option
from munit_tf.errors import InputError
from munit_tf.losses.adversarial import discriminator_loss, generator_loss
from munit_tf.losses.information import kl_divergence, reparametrize
from munit_tf.losses.reconstruction import mean_absolute_error
from munit_tf.models.options import PADDINGS, PatchConfig, code_length, depth, weight
from munit_tf.models.training_step import Direction, Tensors, map_batched
from munit_tf.models.translator import StochasticStyle, diversity_check
from munit_tf.networks.discriminators import PatchDiscriminator
from munit_tf.networks.encoders import VariationalStyleEncoder
from munit_tf.networks.fixed_weights import with_fixed_weights
from munit_tf.networks.generators import UNet

# The two phases of the method and the suffixes of their loss terms.
_PHASES = {"encoded": "", "prior": "_prior"}


@dataclasses.dataclass(frozen=True)
class BicycleGANConfig(PatchConfig):
    """BicycleGAN's options; the defaults are the paper's, for 256 pixels."""

    style_dim: int = code_length(8, "length of a style code")
    num_downsample: int = depth(8, "stride-2 convolutions of the U-Net, down to one or two pixels")
    gen_padding: str = option("zero", "padding of encoder and generator", choices=PADDINGS)
    num_scales: int = depth(2, "number of resolutions of a discriminator")
    recon_x_weight: float = weight(10.0, "weight of image reconstruction")
    recon_s_weight: float = weight(0.5, "weight of style reconstruction")
    kl_weight: float = weight(
        0.01, "weight of the KL divergence of encoded styles and the prior (sum over dimensions)"
    )

    @property
    def smallest_input(self) -> int:
        """The smallest height and width of images to translate or encode, in pixels."""
        return max(16, self.size_multiple)

    def check_run(self, data: DataConfig, train: TrainConfig) -> None:
        """See MethodConfig.check_run; the data must be paired."""
        super().check_run(data, train)
        if not data.paired:
            raise InputError(
                "--method=bicyclegan learns from pairs: add --paired, with --dataset=shapes, edges2shoes, "
                "edges2handbags, edges2flowers, cityscapes, with --edges and your own photos, or folders "
                "in which paired images of a and b have the same name"
            )


class BicycleNetworks(keras.layers.Layer):
    """Style encoder and generator; E and G in the paper."""

    def __init__(self, config: BicycleGANConfig) -> None:
        super().__init__()
        common: dict[str, Any] = dict(activation=config.gen_activation, padding_mode=config.gen_padding)
        self.style_encoder = VariationalStyleEncoder(config.gen_dim, config.style_dim, **common)
        self.generator = UNet(config.gen_dim, config.num_downsample, **common)


class BicycleGAN(StochasticStyle):
    """Supervised translation from a to b; image i of b is one of many possible outputs for image i of a.

    Each step has two phases: cVAE-GAN, B -> z -> B', with a style encoded from b, and cLR-GAN, z -> B' -> z',
    with a style from the prior. The adversarial terms of the latter end in `_prior`. Each phase has its own
    discriminator.
    """

    config_class = BicycleGANConfig
    config: BicycleGANConfig
    loss_weights = {
        "adv_d": "gan_weight",
        "adv_d_prior": "gan_weight",
        "adv_g": "gan_weight",
        "adv_g_prior": "gan_weight",
        "recon_x": "recon_x_weight",
        "recon_s": "recon_s_weight",
        "kl": "kl_weight",
    }
    directions = ("a2b",)
    real_domains = dict.fromkeys(_PHASES, "b")
    collapse_checks = (diversity_check("--recon_s_weight"),)

    def __init__(self, config: BicycleGANConfig) -> None:
        super().__init__(config)
        self.style_dim = config.style_dim
        self.generators = {"b": BicycleNetworks(config)}
        self.discriminators = {phase: PatchDiscriminator(**config.discriminator()) for phase in _PHASES}
        self._build()

    def noise_shapes(self, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """A style code from the prior, and the epsilon for samples of encoded styles."""
        shapes = super().noise_shapes(height, width)
        return {**shapes, "style_b": (self.style_dim,), "epsilon_b": (self.style_dim,)}

    def posterior(self, images: tf.Tensor, domain: str) -> tuple[tf.Tensor, tf.Tensor]:
        """See StochasticStyle.posterior; only domain b has styles."""
        if domain != "b":
            raise ValueError(f"domain {domain!r}: BicycleGAN has styles of b only")
        return super().posterior(images, domain)

    def _translate(self, images: tf.Tensor, style: Optional[tf.Tensor], direction: Direction) -> tf.Tensor:
        """See Translator."""
        return self._generate(images, style)

    def make_fakes(self, source: str, target: str, batch: dict) -> dict:
        """The distribution of the style, and the fakes of both phases."""
        posterior = self.posterior(batch[target], target)
        style = reparametrize(*posterior, batch["epsilon_b"])
        encoded, prior = map_batched(self._generate, [batch[source]] * 2, [style, batch["style_b"]])
        return {"posterior": posterior, "encoded": encoded, "prior": prior}

    def discriminator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """Equations 3 and 7, with least squares."""
        del source
        losses = {}
        for phase, suffix in _PHASES.items():
            real, fake = self.discriminate_all([batch[target], fakes[phase]], phase, batch)
            losses[f"adv_d{suffix}/{target}"] = discriminator_loss(self.config.gan_loss, real, fake)
        return losses

    def generator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """Equation 8."""
        del source
        losses = {
            f"adv_g{suffix}/{target}": generator_loss(
                self.config.gan_loss, self.discriminate(fakes[phase], phase, batch)
            )
            for phase, suffix in _PHASES.items()
        }
        # Otherwise encoder and generator could hide the style in the image (section 3.3).
        prior_style = with_fixed_weights(self._encode_style, fakes["prior"], target)
        return {
            **losses,
            f"recon_x/{target}": mean_absolute_error(fakes["encoded"], batch[target]),
            f"recon_s/{target}": mean_absolute_error(prior_style, batch["style_b"]),
            f"kl/{target}": kl_divergence(*fakes["posterior"]),
        }

    def _generate(self, images, style):
        return self._full(self.generators["b"].generator(images, style))
