"""MISO: Na, Yoo, Choo, "MISO: Mutual Information Loss with Stochastic Style Representations", 2019.

arXiv 1902.03938. The authors published no code, and the equations of the paper were not available. The
sources of this implementation are:

- From the paper: variational style encoders, encoders conditioned on the target's style, generators and
  discriminators, one of each per direction; the mutual information loss (MILO) instead of image
  reconstruction; one phase with encoded styles and one with styles from the prior.
- Derived: the formula of MILO (see `losses.information`), from InfoGAN's bound.
- Assumed, following MUNIT: the layers, the adversarial loss, the optimizers; the losses of each phase, their
  weights, and that every step has both phases.

It does not claim to reproduce the results of the paper.
"""

import dataclasses
import math
from typing import Any, NoReturn, Optional

import tensorflow as tf

from munit_tf.config.schema import option
from munit_tf.keras_compat import CompositeLayer
from munit_tf.losses.adversarial import discriminator_loss, generator_loss
from munit_tf.losses.information import (
    LOG_VARIANCE_RANGE,
    kl_divergence,
    mutual_information_loss,
    reparametrize,
)
from munit_tf.losses.reconstruction import mean_absolute_error
from munit_tf.models.options import ResidualConfig, code_length, weight, width
from munit_tf.models.training_step import Direction, Tensors
from munit_tf.models.translator import CollapseCheck, StochasticStyle, diversity_check
from munit_tf.networks.decoders import AdaINDecoder, Decoder
from munit_tf.networks.discriminators import MultiScaleDiscriminator
from munit_tf.networks.encoders import ConditionalEncoder, VariationalStyleEncoder

# Suffixes of loss terms: the phase with encoded styles, and the phase with styles from the prior.
_SUFFIXES = ("", "_prior")
_MIN_STD = math.exp(LOG_VARIANCE_RANGE[0] / 2)


@dataclasses.dataclass(frozen=True)
class MISOConfig(ResidualConfig):
    """MISO's options; the defaults follow MUNIT and experiments on the embedded shapes."""

    style_dim: int = code_length(8, "length of a style code")
    mlp_dim: int = width(256, "width of the MLP that computes AdaIN's parameters")
    cycle_weight: float = weight(
        10.0, "weight of cycle consistency, the only loss that preserves the content"
    )
    info_weight: float = weight(4.0, "weight of MILO (mean over the style's dimensions)")
    kl_weight: float = weight(
        0.05, "weight of the KL divergence of encoded styles and the prior (sum over dimensions)"
    )
    recon_x_weight: float = weight(
        0.0, "weight of image reconstruction; 10, with --info_weight=0, to compare it with MILO"
    )
    style_to_generator: bool = option(
        False, "the generator takes the style too, by AdaIN; in the paper only the encoder does"
    )
    cycle_prior: bool = option(
        True, "cycle consistency also with styles from the prior: no other loss preserves their content"
    )
    info_encoded: bool = option(
        True,
        "MILO also of encoded styles, so that guided outputs follow their reference; otherwise only of "
        "styles from the prior",
    )
    info_gradient_to_style: bool = option(
        False,
        "MILO trains the encoder of the style that it compares with; this lowers the variance of encoded "
        "styles, and outputs soon ignore the style",
    )

    @property
    def cycle_prior_weight(self) -> float:
        """The weight of cycle consistency of styles from the prior."""
        return self.cycle_weight if self.cycle_prior else 0.0

    @property
    def info_encoded_weight(self) -> float:
        """The weight of MILO of encoded styles."""
        return self.info_weight if self.info_encoded else 0.0


class DirectionNetworks(CompositeLayer):
    """The networks of the direction into a domain, except its discriminator: E_B, E_AB and G_AB for b."""

    def __init__(self, config: MISOConfig) -> None:
        super().__init__()
        common: dict[str, Any] = dict(activation=config.gen_activation, padding_mode=config.gen_padding)
        sizes = config.gen_dim, config.num_downsample, config.num_res_blocks
        self.style_encoder = VariationalStyleEncoder(config.gen_dim, config.style_dim, **common)
        self.conditional_encoder = ConditionalEncoder(*sizes, config.mlp_dim, **common)
        if config.style_to_generator:
            self.decoder = AdaINDecoder(*sizes, config.mlp_dim, **common)
        else:
            self.decoder = Decoder(*sizes, **common)
        self._style_to_generator = config.style_to_generator

    def call(self, images: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
        """Translates images [N,H,W,3] to this domain, with its style codes [N,style_dim]."""
        features = self.conditional_encoder(images, style)
        return self.decoder(features, style) if self._style_to_generator else self.decoder(features)


class MISO(StochasticStyle):
    """The encoder takes the source image and the target style; MILO makes outputs depend on the style.

    Each step has two phases, "encoded" (styles of images of the target) and "prior" (styles from N(0, I)).
    Loss terms of the second phase end in `_prior`: `adv_g/b` is for the fake in b with an encoded style,
    `adv_g_prior/b` for the fake with a style from the prior; `adv_d` and `cycle_x` are named likewise. The
    terms of MILO are `info_encoded` and `info_prior`. The letter is the domain that is compared.
    """

    config_class = MISOConfig
    config: MISOConfig
    loss_weights = {
        "adv_d": "gan_weight",
        "adv_d_prior": "gan_weight",
        "adv_g": "gan_weight",
        "adv_g_prior": "gan_weight",
        "cycle_x": "cycle_weight",
        "cycle_x_prior": "cycle_prior_weight",
        "info_encoded": "info_encoded_weight",
        "info_prior": "info_weight",
        "kl": "kl_weight",
        "recon_x": "recon_x_weight",
    }
    collapse_checks = (
        diversity_check("--info_weight"),
        CollapseCheck(
            "posterior_std",
            lambda value, lowest, highest: value < 1.2 * _MIN_STD,
            "the variance of encoded styles has collapsed: {name} is {value:.3f}, close to its lower bound "
            f"{_MIN_STD:.2f}. Outputs may soon ignore the style; use --info_gradient_to_style=false or a "
            "larger --kl_weight.",
        ),
        CollapseCheck(
            "kl",
            lambda value, lowest, highest: value < 0.1 and highest > 1,
            "encoded styles no longer depend on their images: {name} is {value:.3f}, its maximum was "
            "{highest:.3f}. Use a smaller --kl_weight or a larger --info_weight.",
        ),
    )

    def __init__(self, config: MISOConfig) -> None:
        super().__init__(config)
        self.style_dim = config.style_dim
        self.generators = {domain: DirectionNetworks(config) for domain in "ab"}
        self.discriminators = {domain: MultiScaleDiscriminator(**config.discriminator()) for domain in "ab"}
        self._build()

    def noise_shapes(self, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """For each domain a style code from the prior, and the epsilon for samples of encoded styles."""
        styles = {f"{name}_{domain}": (self.style_dim,) for name in ("style", "epsilon") for domain in "ab"}
        return {**super().noise_shapes(height, width), **styles}

    @property
    def encode(self) -> NoReturn:
        """MISO has no content code: raises AttributeError."""
        raise AttributeError(_NO_CONTENT.format("encode"))

    @property
    def decode(self) -> NoReturn:
        """MISO has no content code: raises AttributeError."""
        raise AttributeError(_NO_CONTENT.format("decode"))

    def _translate(self, images: tf.Tensor, style: Optional[tf.Tensor], direction: Direction) -> tf.Tensor:
        """See Translator."""
        return self._generate(images, style, direction.target)

    def prepare(self, batch: dict) -> dict:
        """Adds the distributions of the styles of the images, and a sample of each."""
        posteriors = {domain: self.posterior(batch[domain], domain) for domain in "ab"}
        samples = {
            f"encoded_{domain}": reparametrize(*posteriors[domain], batch[f"epsilon_{domain}"])
            for domain in "ab"
        }
        return {**batch, **samples, "posteriors": posteriors}

    def make_fakes(self, source: str, target: str, batch: dict) -> dict:
        """The fakes of both phases in one batch, those with encoded styles first."""
        images = tf.concat([batch[source]] * 2, axis=0)
        styles = tf.concat([batch[f"encoded_{target}"], batch[f"style_{target}"]], axis=0)
        return {"fakes": self._generate(images, styles, target)}

    def discriminator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """The terms of both phases; they share the discriminator of the target."""
        del source
        maps = self.discriminate(tf.concat([batch[target], fakes["fakes"]], axis=0), target, batch)
        real, *fakes = _split(maps, 3)
        return {
            f"adv_d{suffix}/{target}": discriminator_loss(self.config.gan_loss, real, fake)
            for suffix, fake in zip(_SUFFIXES, fakes)
        }

    def generator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """The terms of both phases, and the KL divergence of styles encoded from the target images."""
        config, images, fakes = self.config, batch[source], fakes["fakes"]
        posterior, style = batch["posteriors"][target], batch[f"encoded_{target}"]
        losses = {f"kl/{target}": kl_divergence(*posterior)}
        if config.recon_x_weight:
            reconstruction = self._generate(batch[target], style, target)
            losses[f"recon_x/{target}"] = mean_absolute_error(reconstruction, batch[target])

        for suffix, logits in zip(_SUFFIXES, _split(self.discriminate(fakes, target, batch), 2)):
            losses[f"adv_g{suffix}/{target}"] = generator_loss(config.gan_loss, logits)

        if not config.info_gradient_to_style:
            # With this gradient the encoder would lower its variance to make z easy to predict. MILO does
            # not penalize that, since it leaves out H(z).
            style = tf.stop_gradient(style)
        predictions = _split(self.posterior(fakes, target), 2)
        for phase, z, prediction in zip(("encoded", "prior"), (style, batch[f"style_{target}"]), predictions):
            losses[f"info_{phase}/{target}"] = mutual_information_loss(z, *prediction)

        count = 2 if config.cycle_prior else 1
        fakes = fakes if config.cycle_prior else _split([fakes], 2)[0][0]
        cycles = self._generate(fakes, tf.concat([batch[f"encoded_{source}"]] * count, axis=0), source)
        for suffix, (cycle,) in zip(_SUFFIXES, _split([cycles], count)):
            losses[f"cycle_x{suffix}/{source}"] = mean_absolute_error(cycle, images)
        return losses

    def _generate(self, images, style, target):
        """x_AB(a, z) for target b."""
        return self._full(self.generators[target](images, style))


def _split(tensors, count):
    """Splits the batch axis of tensors into `count` equal parts; returns a list of tensors per part."""
    return [list(part) for part in zip(*(tf.split(x, count) for x in tensors))]


_NO_CONTENT = (
    "MISO has no {}: its features depend on the image and on the style of the target, so there is no "
    "content code. Use translate(images, direction, style) and encode_style"
)
