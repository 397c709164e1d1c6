"""Every method at a size that is quick to train, and what the guarantees need of it."""

import numpy as np

import munit_tf

TINY = {
    "munit": dict(
        style_dim=3,
        gen_dim=4,
        dis_dim=4,
        mlp_dim=8,
        num_res_blocks=1,
        num_dis_layers=2,
        num_scales=2,
        cycle_weight=10,
    ),
    "miso": dict(
        style_dim=3,
        gen_dim=4,
        dis_dim=4,
        mlp_dim=8,
        num_res_blocks=1,
        num_dis_layers=2,
        num_scales=2,
    ),
}


def tiny(method, **options):
    """A tiny model, compiled."""
    model = munit_tf.create(method, **{**TINY[method], **options})
    model.compile()
    return model


def tiny_batch(model, count, seed=0):
    """A batch of `count` images and their noise."""
    rng = np.random.default_rng(seed)
    size = max(16, model.config.smallest_size)
    images = {domain: rng.uniform(-1, 1, (count, size, size, 3)) for domain in "ab"}
    noise = {name: rng.standard_normal((count, *shape)) for name, shape in model.noise.items()}
    return {name: value.astype("float32") for name, value in {**images, **noise}.items()}
