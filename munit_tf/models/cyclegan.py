"""CycleGAN: Zhu, Park, Isola, Efros, ICCV 2017.

"Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks".
"""

import dataclasses
from typing import Any, Optional

import tensorflow as tf

from munit_tf.config.schema import option
from munit_tf.losses.adversarial import discriminator_loss, generator_loss
from munit_tf.losses.reconstruction import mean_absolute_error
from munit_tf.models.image_pool import ImagePool
from munit_tf.models.options import PatchConfig, ResidualConfig, code_length, depth, weight
from munit_tf.models.training_step import Direction, Tensors
from munit_tf.models.translator import Translator
from munit_tf.networks.discriminators import PatchDiscriminator
from munit_tf.networks.generators import ResNetGenerator


@dataclasses.dataclass(frozen=True)
class CycleGANConfig(PatchConfig, ResidualConfig):
    """CycleGAN's options; the defaults are the paper's, for 256 pixels."""

    noise_dim: int = code_length(
        0, "length of a noise vector that the generators take with the image; 0: none", minimum=0
    )
    num_res_blocks: int = depth(9, "residual blocks of a generator", maximum=64)
    cycle_weight: float = weight(10.0, "weight of cycle consistency")
    identity_weight: float = weight(5.0, "weight of the identity loss on images of the target domain")
    pool_size: int = option(
        50,
        "capacity of the pool of earlier fakes, which replace half of the discriminators' fakes; 0: no pool",
        minimum=0,
        maximum=1_000_000,
        memory=True,
    )

    @property
    def dis_gan_weight(self) -> float:
        """The weight of the discriminators' adversarial loss; the paper halves it (appendix 7.1)."""
        return self.gan_weight / 2

    def pooled_values(self, height: int, width: int) -> int:
        """See MethodConfig.pooled_values; both domains have a pool."""
        return 2 * self.pool_size * height * width * 3


class CycleGAN(Translator):
    """One generator per direction with cycle consistency; no style, so one output per image.

    With `noise_dim` it is the "CycleGAN with noise" of MUNIT's comparison: the style is a noise vector from
    N(0, I). The losses do not require the outputs to depend on it.
    """

    config_class = CycleGANConfig
    config: CycleGANConfig
    loss_weights = {
        "adv_d": "dis_gan_weight",
        "adv_g": "gan_weight",
        "cycle_x": "cycle_weight",
        "identity": "identity_weight",
    }

    def __init__(self, config: CycleGANConfig) -> None:
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

    def compile(
        self, image_size: Optional[tuple[int, int]] = None, recompute: bool = False, **options: Any
    ) -> None:
        """See AdversarialModel.compile.

        Raises:
            ValueError: `image_size` is missing and there is a pool.
        """
        if self.config.pool_size:
            if image_size is None:
                raise ValueError(
                    "CycleGAN keeps fakes of earlier steps: pass their size to "
                    "compile(image_size=(height, width)), or create it with pool_size=0"
                )
            self.image_pools = {domain: ImagePool(self.config.pool_size, *image_size) for domain in "ab"}
        super().compile(image_size, recompute, **options)

    def noise_shapes(self, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """`style_a` is the noise of a fake in a, `pool_a` are its random draws for the pool; same for b."""
        noise = super().noise_shapes(height, width)
        for domain in "ab":
            if self.config.noise_dim:
                noise[f"style_{domain}"] = (self.config.noise_dim,)
            if self.config.pool_size:
                noise[f"pool_{domain}"] = (2,)
        return noise

    def _translate(self, images: tf.Tensor, style: Optional[tf.Tensor], direction: Direction) -> tf.Tensor:
        """See Translator; the noise is the style."""
        return self._generate(images, direction.target, style)

    def make_fakes(self, source: str, target: str, batch: dict) -> dict:
        """The fakes G(x) in the target domain."""
        return {"fake": self._generate(batch[source], target, batch.get(f"style_{target}"))}

    def replay(self, target: str, batch: dict, fakes: dict) -> dict:
        """Fakes from the pool of the target (section 4)."""
        if target not in self.image_pools:
            return fakes
        return {"fake": self.image_pools[target].exchange(fakes["fake"], batch[f"pool_{target}"])}

    def discriminator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """Equation 1, with least squares, for the discriminator of the target."""
        del source
        real, fake = self.discriminate_all([batch[target], fakes["fake"]], target, batch)
        return {f"adv_d/{target}": discriminator_loss(self.config.gan_loss, real, fake)}

    def generator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """Equations 1 and 2, and the identity loss of section 5.2."""
        fake, noise = fakes["fake"], {domain: batch.get(f"style_{domain}") for domain in "ab"}
        cycle = self._generate(fake, source, noise[source])
        same = self._generate(batch[target], target, noise[target])
        return {
            f"adv_g/{target}": generator_loss(self.config.gan_loss, self.discriminate(fake, target, batch)),
            f"cycle_x/{source}": mean_absolute_error(cycle, batch[source]),
            f"identity/{target}": mean_absolute_error(same, batch[target]),
        }

    def _generate(self, images, target, noise):
        return self._full(self.generators[target](images, noise))
