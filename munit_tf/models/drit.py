"""DRIT: Lee, Tseng, Huang, Singh, Yang, ECCV 2018; DRIT++ (IJCV 2020) with mode seeking.

"Diverse Image-to-Image Translation via Disentangled Representations".

Encoders, decoder and discriminators are built from MUNIT's layers, so that the methods differ only in weight
sharing and losses. The authors train the content discriminator three times as often as the other
discriminators, with 1 / 2.5 of the learning rate. Here all are trained in the same way.
"""

import dataclasses
from typing import Any, Optional

import keras
import tensorflow as tf

from munit_tf.config.schema import option
from munit_tf.losses.adversarial import GAN_LOSSES, classification_loss, discriminator_loss, generator_loss
from munit_tf.losses.information import kl_divergence, kl_divergence_of_unit_variance, reparametrize
from munit_tf.losses.mode_seeking import mode_seeking_loss
from munit_tf.losses.reconstruction import mean_absolute_error
from munit_tf.models.options import ResidualConfig, code_length, depth, schedule, weight
from munit_tf.models.training_step import Tensors, map_batched
from munit_tf.models.translator import DIRECTIONS, ContentTranslator, StochasticStyle, diversity_check
from munit_tf.networks.convolutions import dcgan_normal
from munit_tf.networks.decoders import ConcatDecoder
from munit_tf.networks.discriminators import (
    ContentDiscriminator,
    MultiScaleDiscriminator,
    smallest_content_size,
)
from munit_tf.networks.encoders import ContentEncoder, VariationalStyleEncoder
from munit_tf.networks.fixed_weights import with_fixed_weights
from munit_tf.networks.layers import ResidualBlock, run_residual

# Labels of the domains for the content discriminator.
_LABELS = {"a": 0.0, "b": 1.0}


@dataclasses.dataclass(frozen=True)
class DRITConfig(ResidualConfig):
    """DRIT's options; the defaults are the authors'."""

    style_dim: int = code_length(8, "length of a style code")
    num_res_blocks: int = depth(
        4, "residual blocks of each encoder and decoder, including the one that the domains share", maximum=64
    )
    num_content_dis_layers: int = depth(3, "stride-2 convolutions of the content discriminator")
    gan_loss: str = option("nsgan", "adversarial loss", choices=GAN_LOSSES)
    content_gan_weight: float = weight(
        1.0, "weight of the content discriminator's adversarial loss", minimum=1e-9
    )
    recon_x_weight: float = weight(10.0, "weight of image reconstruction")
    cycle_weight: float = weight(10.0, "weight of cross-cycle consistency")
    recon_s_weight: float = weight(10.0, "weight of style reconstruction")
    kl_weight: float = weight(
        0.01, "weight of the KL divergence of encoded styles and the prior (sum over dimensions)"
    )
    kl_content_weight: float = weight(0.01, "weight of the mean square of content codes")
    mode_seeking_weight: float = weight(0.0, "weight of mode seeking; 1 in DRIT++")
    learning_rate_half_life_steps: int = schedule(
        0, "steps after which the learning rate is halved, repeatedly; 0: never"
    )
    learning_rate_constant_steps: int = schedule(
        500_000, "steps before the linear decay of the learning rate, with --learning_rate_decay_steps"
    )
    learning_rate_decay_steps: int = schedule(
        500_000, "steps of the linear decay of the learning rate to 0; 0: no decay"
    )

    @property
    def smallest_size(self) -> int:
        """The smallest height and width of training images, in pixels."""
        return max(
            super().smallest_size, self.size_multiple * smallest_content_size(self.num_content_dis_layers)
        )


class DomainNetworks(keras.layers.Layer):
    """The networks of a domain: the first layers of E^c, all of E^a, and the last layers of G."""

    def __init__(self, config: DRITConfig) -> None:
        super().__init__()
        common: dict[str, Any] = dict(activation=config.gen_activation, padding_mode=config.gen_padding)
        sizes = config.gen_dim, config.num_downsample, config.num_res_blocks - 1
        self.content_encoder = ContentEncoder(*sizes, **common)
        # The authors' initialization, with encoded styles close to the prior. KL alone is too weak for that.
        self.style_encoder = VariationalStyleEncoder(
            config.gen_dim, config.style_dim, **common, initializer=dcgan_normal
        )
        self.decoder = ConcatDecoder(*sizes, config.style_dim, **common)


class SharedBlocks(keras.layers.Layer):
    """The layers that the domains share: the last residual block of E^c and the first of G."""

    def __init__(self, config: DRITConfig) -> None:
        super().__init__()
        channels = config.gen_dim * config.size_multiple
        common: dict[str, Any] = dict(activation=config.gen_activation, padding_mode=config.gen_padding)
        self.of_encoder = ResidualBlock(channels, "instance", **common)
        self.of_decoder = ResidualBlock(channels, "instance", **common)
        self.padding_mode = config.gen_padding

    def encode(self, content: tf.Tensor) -> tf.Tensor:
        """The end of the content encoder: [N,H,W,C] -> [N,H,W,C]."""
        return run_residual([self.of_encoder], content, self.padding_mode)

    def decode(self, content: tf.Tensor) -> tf.Tensor:
        """The start of the decoder: [N,H,W,C] -> [N,H,W,C]."""
        return run_residual([self.of_decoder], content, self.padding_mode)


class DRIT(StochasticStyle, ContentTranslator):
    """A content code that does not reveal its domain, and a style code (the paper's attribute).

    Each domain has two discriminators, one for fakes with encoded styles (of the other image of the step) and
    one for fakes with styles from the prior. The terms of the latter end in `_prior`. `adv_d_content/a` and
    `adv_g_content/a` are the terms of the content discriminator and its adversary for content codes of a. In
    training, noise N(0, I) is added to content codes.
    """

    config_class = DRITConfig
    config: DRITConfig
    loss_weights = {
        "adv_d": "gan_weight",
        "adv_d_prior": "gan_weight",
        "adv_d_content": "content_gan_weight",
        "adv_g": "gan_weight",
        "adv_g_prior": "gan_weight",
        "adv_g_content": "content_gan_weight",
        "recon_x": "recon_x_weight",
        "recon_s": "recon_s_weight",
        "cycle_x": "cycle_weight",
        "kl": "kl_weight",
        "kl_content": "kl_content_weight",
        "mode_seeking": "mode_seeking_weight",
    }
    collapse_checks = (diversity_check("--mode_seeking_weight or --recon_s_weight"),)
    real_domains = {"a": "a", "b": "b", "a_prior": "a", "b_prior": "b"}

    def __init__(self, config: DRITConfig) -> None:
        super().__init__(config)
        self.style_dim = config.style_dim
        self.generators = {domain: DomainNetworks(config) for domain in "ab"}
        self.generators["shared"] = SharedBlocks(config)
        self.discriminators = {
            name: MultiScaleDiscriminator(**config.discriminator())
            for name in ("a", "b", "a_prior", "b_prior")
        }
        self.discriminators["content"] = ContentDiscriminator(
            config.gen_dim * config.size_multiple, config.num_content_dis_layers
        )
        self._build()

    def noise_shapes(self, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """The noise of each domain, here of a.

        `style_a` is a style from the prior; `style_other_a` is another one, for mode seeking. `epsilon_a` is
        for the sample of an image's style, `noise_a` is added to its content. `epsilon_cycle_a` and
        `noise_cycle_a` are the same for the style and content encoded from translated images.
        """
        styles = ["style", "epsilon", "epsilon_cycle"]
        if self.config.mode_seeking_weight:
            styles.append("style_other")
        content = self.config.content_shape(height, width)
        return {
            **super().noise_shapes(height, width),
            **{f"{name}_{domain}": (self.style_dim,) for name in styles for domain in "ab"},
            **{f"{name}_{domain}": content for name in ("noise", "noise_cycle") for domain in "ab"},
        }

    def _encode_content(self, images: tf.Tensor, domain: str) -> tf.Tensor:
        """The content code [N,H/4,W/4,4 gen_dim] of images [N,H,W,3] of a domain."""
        content = self.generators[domain].content_encoder(images)
        return self._full(self.generators["shared"].encode(content))

    def _decode(self, content: tf.Tensor, style: Optional[tf.Tensor], domain: str) -> tf.Tensor:
        """The images [N,H,W,3] of a domain with a content code and a style code [N,style_dim]."""
        features = self.generators["shared"].decode(content)
        return self._full(self.generators[domain].decoder(features, style))

    def prepare(self, batch: dict) -> dict:
        """Adds contents, styles and their distributions, and the fakes of the first translation."""
        contents = {domain: self._encode_content(batch[domain], domain) for domain in "ab"}
        noisy = {domain: contents[domain] + batch[f"noise_{domain}"] for domain in "ab"}
        posteriors = {domain: self.posterior(batch[domain], domain) for domain in "ab"}
        styles = {domain: reparametrize(*posteriors[domain], batch[f"epsilon_{domain}"]) for domain in "ab"}
        fakes = {
            target: self._decode(noisy[source], styles[target], target)
            for source, target in DIRECTIONS.values()
        }
        results = dict(contents=contents, noisy=noisy, posteriors=posteriors, styles=styles, fakes=fakes)
        return {**batch, **results}

    def make_fakes(self, source: str, target: str, batch: dict) -> dict:
        """The noisy content of the source, and the fakes in the target with an encoded and a random style."""
        content = batch["noisy"][source]
        prior = self._decode(content, batch[f"style_{target}"], target)
        return {"content": content, "encoded": batch["fakes"][target], "prior": prior}

    def discriminator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """The two discriminators of the target, and the content discriminator on the source."""
        kind, real = self.config.gan_loss, batch[target]
        of_content = classification_loss(
            self.discriminate(fakes["content"], "content", batch), _LABELS[source]
        )
        of_encoded = self.discriminate_all([real, fakes["encoded"]], target, batch)
        of_prior = self.discriminate_all([real, fakes["prior"]], f"{target}_prior", batch)
        return {
            f"adv_d/{target}": discriminator_loss(kind, *of_encoded),
            f"adv_d_prior/{target}": discriminator_loss(kind, *of_prior),
            f"adv_d_content/{source}": of_content,
        }

    def generator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """Equations 1 to 3, self-reconstruction, KL and latent regression (section 3.4)."""
        kind, images, content = self.config.gan_loss, batch[source], fakes["content"]
        # The second translation: content from the fake in the target, style from the fake in the source.
        fake_content = self._encode_content(fakes["encoded"], target) + batch[f"noise_cycle_{source}"]
        fake_style = reparametrize(
            *self.posterior(batch["fakes"][source], source), batch[f"epsilon_cycle_{source}"]
        )
        cross_cycle, reconstruction = map_batched(
            lambda content, style: self._decode(content, style, source),
            [fake_content, content],
            [fake_style, batch["styles"][source]],
        )
        style = batch[f"style_{target}"]
        # As in the authors' code. Otherwise encoder and decoder could hide the style in the image.
        prior_style = with_fixed_weights(self._encode_style, fakes["prior"], target)
        losses = {
            f"adv_g/{target}": generator_loss(kind, self.discriminate(fakes["encoded"], target, batch)),
            f"adv_g_prior/{target}": generator_loss(
                kind, self.discriminate(fakes["prior"], f"{target}_prior", batch)
            ),
            f"adv_g_content/{source}": classification_loss(self.discriminate(content, "content", batch), 0.5),
            f"recon_x/{source}": mean_absolute_error(reconstruction, images),
            f"cycle_x/{source}": mean_absolute_error(cross_cycle, images),
            f"recon_s/{target}": mean_absolute_error(prior_style, style),
            f"kl/{source}": kl_divergence(*batch["posteriors"][source]),
            f"kl_content/{source}": kl_divergence_of_unit_variance(batch["contents"][source]),
        }
        if self.config.mode_seeking_weight:
            other_style = batch[f"style_other_{target}"]
            other = self._decode(content, other_style, target)
            losses[f"mode_seeking/{target}"] = mode_seeking_loss(fakes["prior"], other, style, other_style)
        return losses
