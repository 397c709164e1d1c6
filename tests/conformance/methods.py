"""Every method at a size that is quick to train, and what the guarantees need of it."""

import numpy as np

import munit_tf

_NETWORKS = dict(gen_dim=4, dis_dim=4, num_dis_layers=2)
_RESIDUAL = dict(**_NETWORKS, num_res_blocks=1)
TINY = {
    "munit": dict(**_RESIDUAL, num_scales=2, style_dim=3, mlp_dim=8, cycle_weight=10),
    "miso": dict(**_RESIDUAL, num_scales=1, style_dim=3, mlp_dim=8),
    "unit": dict(**_RESIDUAL, num_scales=1),
    # A pool that the tests' batches overfill.
    "cyclegan": dict(**_RESIDUAL, noise_dim=2, pool_size=1),
    "bicyclegan": dict(**_NETWORKS, num_scales=1, num_downsample=3, style_dim=3),
    "drit": dict(
        **{**_RESIDUAL, "num_res_blocks": 2},
        num_scales=1,
        num_downsample=1,
        style_dim=3,
        num_content_dis_layers=1,
        mode_seeking_weight=1,
    ),
}
# All additions to the papers at once.
ADDITIONS = dict(
    ema_half_life=50,
    dis_learning_rate=4e-4,
    r1_weight=1.0,
    r1_every=1,
    augment=("color", "translation", "cutout"),
    init="orthogonal",
)


def fewer_layers(method):
    """Options for fewer layers than in TINY, where a check does not depend on their number.

    With one layer a U-Net would have neither a skip connection nor an instance norm.
    """
    return dict(num_downsample=2 if method == "bicyclegan" else 1, num_dis_layers=1)


def tiny(method, **options):
    """A tiny model, compiled."""
    model = munit_tf.create(method, **{**TINY[method], **options})
    model.compile(image_size=(image_side(model),) * 2)
    return model


def image_side(model):
    """Height and width of the images of `tiny_batch`, in pixels."""
    return max(16, model.config.smallest_size)


def tiny_batch(model, count, seed=0):
    """A batch of `count` images and their noise."""
    rng = np.random.default_rng(seed)
    size = image_side(model)
    images = {domain: rng.uniform(-1, 1, (count, size, size, 3)) for domain in "ab"}
    noise = {
        name: rng.standard_normal((count, *shape)) for name, shape in model.noise_shapes(size, size).items()
    }
    return {name: value.astype("float32") for name, value in {**images, **noise}.items()}
