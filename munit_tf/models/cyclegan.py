"""CycleGAN: Zhu, Park, Isola, Efros, ICCV 2017.

"Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks".
"""

import dataclasses

import tensorflow as tf

from munit_tf.config.schema import option
from munit_tf.losses.adversarial import discriminator_loss, generator_loss
from munit_tf.losses.reconstruction import mean_absolute_error
from munit_tf.models.image_pool import ImagePool
from munit_tf.models.options import PatchConfig, ResidualConfig, code_length, depth, weight
from munit_tf.models.translator import Translator
from munit_tf.networks.discriminators import PatchDiscriminator
from munit_tf.networks.generators import ResNetGenerator


@dataclasses.dataclass(frozen=True)
class CycleGANConfig(PatchConfig, ResidualConfig):
    """CycleGAN's options; the defaults are the paper's, for 256 pixels."""

    noise_dim: int = code_length(
        0, "length of a noise vector that the generators get with the image; 0: none", minimum=0
    )
    num_res_blocks: int = depth(9, "residual blocks of a generator", maximum=64)
    cycle_weight: float = weight(10.0, "weight of cycle consistency")
    identity_weight: float = weight(5.0, "weight of leaving images of the target domain as they are")
    pool_size: int = option(
        50,
        "fakes of earlier steps that the discriminators see instead, half of the time; 0: none",
        minimum=0,
        maximum=1_000_000,
        memory=True,
    )

    @property
    def dis_gan_weight(self) -> float:
        """The weight of the discriminators' adversarial loss; the paper halves it (appendix 7.1)."""
        return self.gan_weight / 2

    def pooled_values(self, height: int, width: int) -> int:
        """See MethodConfig.pooled_values: both domains' pools."""
        return 2 * self.pool_size * height * width * 3


class CycleGAN(Translator):
    """A generator for each direction, and back again; no style, so one output per image.

    With `noise_dim` it is the "CycleGAN with noise" of MUNIT's comparison: a noise vector, drawn from
    N(0, I), is the style. Nothing in the losses asks the generators to heed it.
    """

    config_class = CycleGANConfig
    loss_weights = {
        "adv_d": "dis_gan_weight",
        "adv_g": "gan_weight",
        "cycle_x": "cycle_weight",
        "identity": "identity_weight",
    }

    def __init__(self, config):
        super().__init__(config)
        self.style_dim = config.noise_dim
        self.generators = {
            domain: ResNetGenerator(
                config.gen_dim,
                config.num_downsample,
                config.num_res_blocks,
                config.gen_activation,
                config.gen_padding,
                noisy=config.noise_dim > 0,
            )
            for domain in "ab"
        }
        self.discriminators = {domain: PatchDiscriminator(**config.discriminator()) for domain in "ab"}
        self._build()

    def compile(self, image_size=None, **options):
        """See Translator.compile; `image_size` is needed where there is a pool."""
        if self.config.pool_size:
            if image_size is None:
                raise ValueError(
                    "CycleGAN keeps fakes of earlier steps: say how large they are, by "
                    "compile(image_size=(height, width)), or create it with pool_size=0"
                )
            self.image_pools = {domain: ImagePool(self.config.pool_size, *image_size) for domain in "ab"}
        super().compile(image_size, **options)

    def noise_shapes(self, height, width):
        """For each fake made in a domain, `style_a`, its noise, and `pool_a`, what the pool does with it."""
        del height, width
        noise = {}
        for domain in "ab":
            if self.config.noise_dim:
                noise[f"style_{domain}"] = (self.config.noise_dim,)
            if self.config.pool_size:
                noise[f"pool_{domain}"] = (2,)
        return noise

    def translate(self, images, direction, style=None, seed=0):
        """See Translator.translate; the noise is the style."""
        source, target = self.source_and_target(direction)
        self.check_images(images, source)
        return self._generate(images, target, self.resolve_style(style, tf.shape(images)[0], seed))

    def make_fakes(self, source, target, batch):
        """The fakes G(x), in the target's domain."""
        return {"fake": self._generate(batch[source], target, batch.get(f"style_{target}"))}

    def replay(self, target, batch, fakes):
        """The target's pool instead of the fakes (section 4)."""
        if target not in self.image_pools:
            return fakes
        return {"fake": self.image_pools[target].exchange(fakes["fake"], batch[f"pool_{target}"])}

    def discriminator_losses(self, source, target, batch, fakes):
        """Equation 1, with least squares, for the target's discriminator."""
        del source
        real, fake = self.discriminate_all([batch[target], fakes["fake"]], target)
        return {f"adv_d/{target}": discriminator_loss(self.config.gan_loss, real, fake)}

    def generator_losses(self, source, target, batch, fakes):
        """Equations 1 and 2, and section 5.2's identity loss."""
        fake, noise = fakes["fake"], {domain: batch.get(f"style_{domain}") for domain in "ab"}
        cycle = self._generate(fake, source, noise[source])
        same = self._generate(batch[target], target, noise[target])
        return {
            f"adv_g/{target}": generator_loss(self.config.gan_loss, self.discriminate(fake, target)),
            f"cycle_x/{source}": mean_absolute_error(cycle, batch[source]),
            f"identity/{target}": mean_absolute_error(same, batch[target]),
        }

    def _generate(self, images, target, noise):
        return self._full(self.generators[target](images, noise))
