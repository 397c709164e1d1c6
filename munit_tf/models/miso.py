"""MISO: Na, Yoo, Choo, "MISO: Mutual Information Loss with Stochastic Style Representations", 2019.

arXiv 1902.03938. Its authors published no code and its equations were not at hand. So this is built from
what is known of it, and says of each part where it comes from:

- The paper's: variational style encoders, encoders conditioned on the target's style, generators and
  discriminators, one of each per direction; the mutual information loss (MILO) in place of image
  reconstruction; styles encoded from images first, styles from the prior second.
- Derived: MILO's formula (see `losses.information`), from InfoGAN's bound.
- Assumed, after MUNIT: the layers, the adversarial loss, the optimisers; which losses each of the two
  phases has, the weights, and that both phases are in every step.

No number of the paper is claimed for it.
"""

import dataclasses
import math

import keras
import tensorflow as tf

from munit_tf.config.schema import option
from munit_tf.losses.adversarial import discriminator_loss, generator_loss
from munit_tf.losses.information import (
    LOG_VARIANCE_RANGE,
    kl_divergence,
    mutual_information_loss,
    reparametrize,
)
from munit_tf.losses.reconstruction import mean_absolute_error
from munit_tf.models.options import ResidualConfig, code_length, weight, width
from munit_tf.models.translator import CollapseCheck, StochasticStyle, Translator, diversity_check
from munit_tf.networks.decoders import AdaINDecoder, Decoder
from munit_tf.networks.discriminators import MultiScaleDiscriminator
from munit_tf.networks.encoders import ConditionalEncoder, VariationalStyleEncoder

# Of terms' names: of the phase with encoded styles and of the one with styles from the prior.
_SUFFIXES = ("", "_prior")
_LEAST_STD = math.exp(LOG_VARIANCE_RANGE[0] / 2)


@dataclasses.dataclass(frozen=True)
class MISOConfig(ResidualConfig):
    """MISO's options; the defaults are assumed, after MUNIT and by trial on the embedded shapes."""

    style_dim: int = code_length(8, "length of a style code")
    mlp_dim: int = width(256, "width of the MLP that makes AdaIN's parameters")
    cycle_weight: float = weight(10.0, "weight of cycle consistency; it alone keeps what stands where")
    info_weight: float = weight(4.0, "weight of MILO (mean over the style's dimensions)")
    kl_weight: float = weight(0.05, "weight of KL of encoded styles from the prior (sum over dimensions)")
    recon_x_weight: float = weight(
        0.0, "weight of image reconstruction; 10, with --info_weight=0, to compare MILO with what it replaces"
    )
    style_to_generator: bool = option(
        False, "the generator gets the style too, by AdaIN; by the method's idea the encoder alone does"
    )
    cycle_prior: bool = option(
        True, "cycle consistency of styles from the prior too: nothing else keeps what their outputs show"
    )
    info_encoded: bool = option(
        True,
        "MILO of encoded styles too, so that guided outputs keep to their reference; else of styles from "
        "the prior only",
    )
    info_gradient_to_style: bool = option(
        False,
        "MILO's gradient reaches the encoded style that it compares with; the style encoder then gains by "
        "drawing ever the same style of an image, and outputs soon ignore it",
    )

    @property
    def cycle_prior_weight(self) -> float:
        """The weight of cycle consistency of styles from the prior."""
        return self.cycle_weight if self.cycle_prior else 0.0

    @property
    def info_encoded_weight(self) -> float:
        """The weight of MILO of encoded styles."""
        return self.info_weight if self.info_encoded else 0.0


class DirectionNetworks(keras.layers.Layer):
    """All networks of the direction into one domain but its discriminator: E_B, E_AB and G_AB for b."""

    def __init__(self, config):
        super().__init__()
        common = dict(activation=config.gen_activation, padding_mode=config.gen_padding)
        sizes = config.gen_dim, config.num_downsample, config.num_res_blocks
        self.style_encoder = VariationalStyleEncoder(config.gen_dim, config.style_dim, **common)
        self.conditional_encoder = ConditionalEncoder(*sizes, config.mlp_dim, **common)
        if config.style_to_generator:
            self.decoder = AdaINDecoder(*sizes, config.mlp_dim, **common)
        else:
            self.decoder = Decoder(*sizes, **common)
        self._style_to_generator = config.style_to_generator

    def call(self, images, style):
        """The other domain's images [N,H,W,3] in this domain, with style codes [N,style_dim] of it."""
        features = self.conditional_encoder(images, style)
        return self.decoder(features, style) if self._style_to_generator else self.decoder(features)


class MISO(StochasticStyle, Translator):
    """Features depend on the source's image and the target's style; MILO ties outputs to their styles.

    Each step has two phases, named "encoded" (styles of the target's images) and "prior" (styles from
    N(0, I)). Terms of the second end in `_prior`: `adv_g/b` is for the fake in b made with an encoded
    style, `adv_g_prior/b` for the one with a style from the prior; so for `adv_d` and `cycle_x`. MILO's
    are `info_encoded` and `info_prior`. The letter is the domain of the image or style compared.
    """

    config_class = MISOConfig
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
            lambda value, lowest, highest: value < 1.2 * _LEAST_STD,
            "the style encoder is surer than it can be: {name} is {value:.3f}, near the "
            f"{_LEAST_STD:.2f} that it is clamped to. Outputs may soon ignore the style; leave "
            "--info_gradient_to_style off, or try a larger --kl_weight.",
        ),
        CollapseCheck(
            "kl",
            lambda value, lowest, highest: value < 0.1 and highest > 1,
            "encoded styles say nothing of their images any more: {name} is {value:.3f}, at its best it was "
            "{highest:.3f}. Try a smaller --kl_weight, or a larger --info_weight.",
        ),
    )

    def __init__(self, config):
        super().__init__(config)
        self.style_dim = config.style_dim
        self.generators = {domain: DirectionNetworks(config) for domain in "ab"}
        self.discriminators = {domain: MultiScaleDiscriminator(**config.discriminator()) for domain in "ab"}
        self._build()

    def noise_shapes(self, height, width):
        """For each domain a style code from the prior, and epsilon, which encoded styles are drawn with."""
        del height, width
        return {f"{name}_{domain}": (self.style_dim,) for name in ("style", "epsilon") for domain in "ab"}

    @property
    def encode(self):
        """MISO has none."""
        raise AttributeError(_NO_CONTENT.format("encode"))

    @property
    def decode(self):
        """MISO has none."""
        raise AttributeError(_NO_CONTENT.format("decode"))

    def translate(self, images, direction, style=None, seed=0):
        """See Translator.translate."""
        source, target = self.source_and_target(direction)
        self.check_images(images, source)
        style = self.resolve_style(style, tf.shape(images)[0], seed)
        return self._translate(images, style, target)

    def prepare(self, batch):
        """Adds the distributions of the images' styles, and a sample of each."""
        posteriors = {domain: self.posterior(batch[domain], domain) for domain in "ab"}
        samples = {
            f"encoded_{domain}": reparametrize(*posteriors[domain], batch[f"epsilon_{domain}"])
            for domain in "ab"
        }
        return {**batch, **samples, "posteriors": posteriors}

    def make_fakes(self, source, target, batch):
        """The fakes of both phases, the encoded one's first: every network sees them in one batch."""
        images = tf.concat([batch[source]] * 2, axis=0)
        styles = tf.concat([batch[f"encoded_{target}"], batch[f"style_{target}"]], axis=0)
        return {"fakes": self._translate(images, styles, target)}

    def discriminator_losses(self, source, target, batch, fakes):
        """The target's discriminator sees the fakes of both phases."""
        del source
        maps = self.discriminate(tf.concat([batch[target], fakes["fakes"]], axis=0), target)
        real, *fakes = _split(maps, 3)
        return {
            f"adv_d{suffix}/{target}": discriminator_loss(self.config.gan_loss, real, fake)
            for suffix, fake in zip(_SUFFIXES, fakes)
        }

    def generator_losses(self, source, target, batch, fakes):
        """Both phases' terms, and the KL of the styles encoded from the target's images."""
        config, images, fakes = self.config, batch[source], fakes["fakes"]
        posterior, style = batch["posteriors"][target], batch[f"encoded_{target}"]
        losses = {f"kl/{target}": kl_divergence(*posterior)}
        if config.recon_x_weight:
            own = self._translate(batch[target], style, target)
            losses[f"recon_x/{target}"] = mean_absolute_error(own, batch[target])

        for suffix, logits in zip(_SUFFIXES, _split(self.discriminate(fakes, target), 2)):
            losses[f"adv_g{suffix}/{target}"] = generator_loss(config.gan_loss, logits)

        if not config.info_gradient_to_style:
            # H(z) is part of the information too, and falls with the encoder's variance: with a gradient
            # here the encoder would gain by making z easy to guess instead.
            style = tf.stop_gradient(style)
        guesses = _split(self.posterior(fakes, target), 2)
        for phase, z, guess in zip(("encoded", "prior"), (style, batch[f"style_{target}"]), guesses):
            losses[f"info_{phase}/{target}"] = mutual_information_loss(z, *guess)

        count = 2 if config.cycle_prior else 1
        there = fakes if config.cycle_prior else _split([fakes], 2)[0][0]
        back = self._translate(there, tf.concat([batch[f"encoded_{source}"]] * count, axis=0), source)
        for suffix, (cycle,) in zip(_SUFFIXES, _split([back], count)):
            losses[f"cycle_x{suffix}/{source}"] = mean_absolute_error(cycle, images)
        return losses

    def _translate(self, images, style, target):
        """x_AB(a, z) for target b."""
        return self._full(self.generators[target](images, style))


def _split(tensors, count):
    """`count` lists of tensors, each of an equal part of the batch."""
    return list(zip(*(tf.split(x, count) for x in tensors)))


_NO_CONTENT = (
    "MISO has no {}: its features depend on the target's style as well as on the image, so there is no "
    "content code. translate(images, direction, style) does both at once; encode_style is there"
)
