"""UNIT: Liu, Breuel, Kautz, "Unsupervised Image-to-Image Translation Networks", NeurIPS 2017.

This follows the implementation that the authors published with MUNIT: its networks are like those of MUNIT
and share no weights.
"""

import dataclasses
from typing import Any, Optional

import keras
import tensorflow as tf

from munit_tf.losses.adversarial import discriminator_loss, generator_loss
from munit_tf.losses.information import kl_divergence_of_unit_variance
from munit_tf.losses.reconstruction import mean_absolute_error
from munit_tf.models.options import ResidualConfig, weight
from munit_tf.models.training_step import Tensors, map_batched
from munit_tf.models.translator import ContentTranslator
from munit_tf.networks.decoders import Decoder
from munit_tf.networks.discriminators import MultiScaleDiscriminator
from munit_tf.networks.encoders import ContentEncoder


@dataclasses.dataclass(frozen=True)
class UNITConfig(ResidualConfig):
    """UNIT's options; the defaults are the authors'."""

    recon_x_weight: float = weight(10.0, "weight of image reconstruction")
    cycle_weight: float = weight(10.0, "weight of cycle consistency")
    kl_weight: float = weight(0.01, "weight of the KL divergence of encoded latents and the prior")
    kl_cycle_weight: float = weight(
        0.01, "weight of the KL divergence of latents of translated images and the prior"
    )


class VariationalAutoEncoder(keras.layers.Layer):
    """The encoder and generator of a domain; E and G in the paper."""

    def __init__(self, config: UNITConfig) -> None:
        super().__init__()
        common: dict[str, Any] = dict(activation=config.gen_activation, padding_mode=config.gen_padding)
        sizes = config.gen_dim, config.num_downsample, config.num_res_blocks
        self.encoder = ContentEncoder(*sizes, **common)
        self.decoder = Decoder(*sizes, **common)


class UNIT(ContentTranslator):
    """A latent space that both domains share; no style, so one output per image.

    The latent code of an image x has the distribution N(h, I) with h = E(x). Training uses a sample of it;
    `encode` returns h.
    """

    config_class = UNITConfig
    config: UNITConfig
    loss_weights = {
        "adv_d": "gan_weight",
        "adv_g": "gan_weight",
        "recon_x": "recon_x_weight",
        "cycle_x": "cycle_weight",
        "kl": "kl_weight",
        "kl_cycle": "kl_cycle_weight",
    }

    def __init__(self, config: UNITConfig) -> None:
        super().__init__(config)
        self.generators = {domain: VariationalAutoEncoder(config) for domain in "ab"}
        self.discriminators = {domain: MultiScaleDiscriminator(**config.discriminator()) for domain in "ab"}
        self._build()

    def noise_shapes(self, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """Noise that is added to latents: `noise_a` for images a, `noise_cycle_a` for their translations."""
        shape = self.config.content_shape(height, width)
        noise = {f"{name}_{domain}": shape for name in ("noise", "noise_cycle") for domain in "ab"}
        return {**super().noise_shapes(height, width), **noise}

    def _encode_content(self, images: tf.Tensor, domain: str) -> tf.Tensor:
        """The mean h of the latent, [N,H/4,W/4,4 gen_dim] of images [N,H,W,3] of a domain."""
        return self._full(self.generators[domain].encoder(images))

    def _decode(self, content: tf.Tensor, style: Optional[tf.Tensor], domain: str) -> tf.Tensor:
        """The images [N,H,W,3] of a domain with a latent code; `style` is None."""
        del style
        return self._full(self.generators[domain].decoder(content))

    def make_fakes(self, source: str, target: str, batch: dict) -> dict:
        """h of the source images, their latents z ~ N(h, I), and the fakes G_target(z)."""
        mean = self._encode_content(batch[source], source)
        latent = mean + batch[f"noise_{source}"]
        return {"mean": mean, "latent": latent, "fake": self._decode(latent, None, target)}

    def discriminator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """Equation 5's adversarial terms for the discriminator of the target."""
        del source
        real, fake = self.discriminate_all([batch[target], fakes["fake"]], target, batch)
        return {f"adv_d/{target}": discriminator_loss(self.config.gan_loss, real, fake)}

    def generator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """The VAE terms (equations 3 and 4), the adversarial term (5), and the cycle terms (6 and 7)."""
        images, fake = batch[source], fakes["fake"]
        cycle_mean = self._encode_content(fake, target)
        latents = [cycle_mean + batch[f"noise_cycle_{source}"], fakes["latent"]]
        cycle, reconstruction = map_batched(lambda z: self._decode(z, None, source), latents)
        return {
            f"adv_g/{target}": generator_loss(self.config.gan_loss, self.discriminate(fake, target, batch)),
            f"recon_x/{source}": mean_absolute_error(reconstruction, images),
            f"kl/{source}": kl_divergence_of_unit_variance(fakes["mean"]),
            f"cycle_x/{source}": mean_absolute_error(cycle, images),
            f"kl_cycle/{source}": kl_divergence_of_unit_variance(cycle_mean),
        }
