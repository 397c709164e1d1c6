"""MUNIT: Huang, Liu, Belongie, Kautz, "Multimodal Unsupervised Image-to-Image Translation", ECCV 2018."""

import dataclasses
from typing import Any, Optional

import keras
import tensorflow as tf

from munit_tf import machine
from munit_tf.config.schema import option
from munit_tf.errors import InputError
from munit_tf.losses.adversarial import discriminator_loss, generator_loss
from munit_tf.losses.perceptual import domain_invariant_perceptual_loss
from munit_tf.losses.reconstruction import mean_absolute_error
from munit_tf.models.options import ResidualConfig, code_length, weight, width
from munit_tf.models.training_step import Tensors, map_batched
from munit_tf.models.translator import ContentTranslator, diversity_check
from munit_tf.networks import pretrained
from munit_tf.networks.decoders import AdaINDecoder
from munit_tf.networks.discriminators import MultiScaleDiscriminator
from munit_tf.networks.encoders import ContentEncoder, StyleEncoder


@dataclasses.dataclass(frozen=True)
class MUNITConfig(ResidualConfig):
    """MUNIT's options; the defaults are the paper's."""

    style_dim: int = code_length(8, "length of a style code")
    mlp_dim: int = width(256, "width of the MLP that computes AdaIN's parameters")
    recon_x_weight: float = weight(10.0, "weight of image reconstruction")
    recon_s_weight: float = weight(1.0, "weight of style reconstruction")
    recon_c_weight: float = weight(1.0, "weight of content reconstruction")
    cycle_weight: float = weight(
        0.0, "weight of style-augmented cycle consistency; 10 if the domains are aligned pixel by pixel"
    )
    perceptual_weight: float = weight(
        0.0, "weight of the domain-invariant perceptual loss; 1 in the paper for at least 512 pixels"
    )
    detach_content_target: bool = option(
        False, "content reconstruction does not train the encoder through its target"
    )
    vgg_weights: Optional[str] = option(
        None,
        "file of Keras' VGG-16 weights without top, for the perceptual loss (default: download them)",
        path=True,
    )


class AutoEncoder(keras.layers.Layer):
    """The encoders and decoder of a domain; E and G in the paper."""

    def __init__(self, config: MUNITConfig) -> None:
        super().__init__()
        common: dict[str, Any] = dict(activation=config.gen_activation, padding_mode=config.gen_padding)
        self.content_encoder = ContentEncoder(
            config.gen_dim, config.num_downsample, config.num_res_blocks, **common
        )
        self.style_encoder = StyleEncoder(config.gen_dim, config.style_dim, **common)
        self.decoder = AdaINDecoder(
            config.gen_dim, config.num_downsample, config.num_res_blocks, config.mlp_dim, **common
        )


class MUNIT(ContentTranslator):
    """Combines a content code, shared by both domains, with a style code of the target domain."""

    config_class = MUNITConfig
    config: MUNITConfig
    has_style_encoder = True
    loss_weights = {
        "adv_d": "gan_weight",
        "adv_g": "gan_weight",
        "recon_x": "recon_x_weight",
        "recon_c": "recon_c_weight",
        "recon_s": "recon_s_weight",
        "cycle_x": "cycle_weight",
        "perceptual": "perceptual_weight",
    }
    collapse_checks = (diversity_check("--recon_s_weight"),)

    def __init__(self, config: MUNITConfig) -> None:
        super().__init__(config)
        self.style_dim = config.style_dim
        self.generators = {domain: AutoEncoder(config) for domain in "ab"}
        self.discriminators = {domain: MultiScaleDiscriminator(**config.discriminator()) for domain in "ab"}
        self._vgg_features = None
        self._build()

    def compile(
        self, image_size: Optional[tuple[int, int]] = None, recompute: bool = False, **options: Any
    ) -> None:
        """See AdversarialModel.compile; loads the VGG-16 of the perceptual loss, which only training uses."""
        if self.config.perceptual_weight and not self._vgg_features:
            self._vgg_features = _load_vgg16(self.config.vgg_weights)
        super().compile(image_size, recompute, **options)

    def noise_shapes(self, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """A style code per image: `style_a` for fakes in a, `style_b` for fakes in b."""
        styles = {f"style_{domain}": (self.style_dim,) for domain in "ab"}
        return {**super().noise_shapes(height, width), **styles}

    def _encode_content(self, images: tf.Tensor, domain: str) -> tf.Tensor:
        """The content code [N,H/4,W/4,4 gen_dim] of images [N,H,W,3] of a domain."""
        return self._full(self.generators[domain].content_encoder(images))

    def _encode_style(self, images: tf.Tensor, domain: str) -> tf.Tensor:
        """The style code [N,style_dim] of images [N,H,W,3] of a domain."""
        return self._full(self.generators[domain].style_encoder(images))

    def _decode(self, content: tf.Tensor, style: Optional[tf.Tensor], domain: str) -> tf.Tensor:
        """The images [N,H,W,3] of a domain with a content code and a style code [N,style_dim]."""
        return self._full(self.generators[domain].decoder(content, style))

    def make_fakes(self, source: str, target: str, batch: dict) -> dict:
        """The content c of the source images, and the fakes G_target(c, style from the prior)."""
        content = self._encode_content(batch[source], source)
        return {"content": content, "fake": self._decode(content, batch[f"style_{target}"], target)}

    def discriminator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """The two terms of equation 5 for the discriminator of the target."""
        del source
        real, fake = self.discriminate_all([batch[target], fakes["fake"]], target, batch)
        return {f"adv_d/{target}": discriminator_loss(self.config.gan_loss, real, fake)}

    def generator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """Equations 2 to 5; the cycle consistency and the perceptual loss of section 5.2."""
        images, content, fake = batch[source], fakes["content"], fakes["fake"]
        content_target = tf.stop_gradient(content) if self.config.detach_content_target else content
        style = self._encode_style(images, source)
        fake_content, fake_style = self._encode(fake, target)
        contents = [content, fake_content] if self.config.cycle_weight else [content]
        reconstruction, *cycles = map_batched(
            lambda content, style: self._decode(content, style, source), contents, [style] * len(contents)
        )
        losses = {
            f"adv_g/{target}": generator_loss(self.config.gan_loss, self.discriminate(fake, target, batch)),
            f"recon_x/{source}": mean_absolute_error(reconstruction, images),
            f"recon_c/{source}": mean_absolute_error(fake_content, content_target),
            f"recon_s/{target}": mean_absolute_error(fake_style, batch[f"style_{target}"]),
        }
        for cycle in cycles:
            losses[f"cycle_x/{source}"] = mean_absolute_error(cycle, images)
        if self._vgg_features:
            losses[f"perceptual/{target}"] = domain_invariant_perceptual_loss(
                self._vgg_features(fake), self._vgg_features(images)
            )
        return losses


def _load_vgg16(path):
    try:
        return pretrained.load_vgg16(path)
    except Exception as error:  # A failed download in Keras raises Exception.
        if machine.is_shortage(error):
            raise
        reason = " ".join(str(error).split())
        raise InputError(
            f"--perceptual_weight needs the VGG-16 weights of keras.applications, without top: {reason}. "
            "Pass the file as --vgg_weights=FILE, or disable the loss with --perceptual_weight=0"
        ) from error
