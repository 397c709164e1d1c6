"""Checkpoints in the authors' format, at any size, written out from the structure of their networks."""

import numpy as np


def generator_shapes(dim=4, style_dim=8, mlp_dim=16, n_downsample=2, n_res=2, prelu=False):
    """{key: shape} of one domain's generator, in PyTorch's layout."""
    shapes = {}

    def layer(key, weight, norm=False, activation=prelu):
        shapes[f"{key}.weight"], shapes[f"{key}.bias"] = weight, weight[:1]
        block = key.rpartition(".")[0]
        if norm:
            shapes[f"{block}.norm.gamma"] = shapes[f"{block}.norm.beta"] = weight[:1]
        if activation:
            shapes[f"{block}.activation.weight"] = (1,)

    def res_blocks(key, channels):
        for i in range(n_res):
            layer(f"{key}.model.{i}.model.0.conv", (channels, channels, 3, 3))
            layer(f"{key}.model.{i}.model.1.conv", (channels, channels, 3, 3), activation=False)

    layer("enc_style.model.0.conv", (dim, 3, 7, 7))
    layer("enc_style.model.1.conv", (2 * dim, dim, 4, 4))
    layer("enc_style.model.2.conv", (4 * dim, 2 * dim, 4, 4))
    layer("enc_style.model.3.conv", (4 * dim, 4 * dim, 4, 4))
    layer("enc_style.model.4.conv", (4 * dim, 4 * dim, 4, 4))
    layer("enc_style.model.6", (style_dim, 4 * dim, 1, 1), activation=False)

    layer("enc_content.model.0.conv", (dim, 3, 7, 7))
    channels = dim
    for i in range(n_downsample):
        layer(f"enc_content.model.{i + 1}.conv", (2 * channels, channels, 4, 4))
        channels *= 2
    res_blocks(f"enc_content.model.{n_downsample + 1}", channels)

    layer("mlp.model.0.fc", (mlp_dim, style_dim))
    layer("mlp.model.1.fc", (mlp_dim, mlp_dim))
    layer("mlp.model.2.fc", (4 * n_res * channels, mlp_dim), activation=False)

    res_blocks("dec.model.0", channels)
    for i in range(n_downsample):
        layer(f"dec.model.{2 * i + 2}.conv", (channels // 2, channels, 5, 5), norm=True)
        channels //= 2
    layer(f"dec.model.{2 * n_downsample + 1}.conv", (3, dim, 7, 7), activation=False)
    return shapes


def discriminator_shapes(dim=4, n_layer=4, num_scales=3, norm="none", prelu=False):
    """The same of a discriminator."""
    shapes = {}
    for scale in range(num_scales):
        for i in range(n_layer):
            key, channels = f"cnns.{scale}.{i}", dim * 2**i
            conv = f"{key}.conv.module" if norm == "sn" and i else f"{key}.conv"
            weight = (channels, channels // 2 if i else 3, 4, 4)
            if norm == "sn" and i:
                shapes[f"{conv}.weight_bar"], shapes[f"{conv}.weight_u"] = weight, weight[:1]
            else:
                shapes[f"{conv}.weight"] = weight
            shapes[f"{conv}.bias"] = weight[:1]
            if norm == "ln" and i:
                shapes[f"{key}.norm.gamma"] = shapes[f"{key}.norm.beta"] = weight[:1]
            if prelu:
                shapes[f"{key}.activation.weight"] = (1,)
        shapes[f"cnns.{scale}.{n_layer}.weight"] = (1, dim * 2 ** (n_layer - 1), 1, 1)
        shapes[f"cnns.{scale}.{n_layer}.bias"] = (1,)
    return shapes


def unit_generator_shapes(dim=4):
    """The same of a generator of UNIT, of the same authors: no style, no content."""
    return {
        key.replace("enc_content", "enc"): shape
        for key, shape in generator_shapes(dim).items()
        if key.startswith(("enc_content", "dec"))
    }


def random_checkpoint(shapes, seed=0):
    """{"a": {key: array}, "b": {key: array}}, no two numbers alike."""
    rng = np.random.default_rng(seed)
    return {
        domain: {key: rng.standard_normal(shape).astype("float32") * 0.2 for key, shape in shapes.items()}
        for domain in "ab"
    }


def state_of(checkpoint):
    """The checkpoint as `munit_tf.models.pytorch_import` takes it."""
    return {f"{domain}/{key}": array for domain in "ab" for key, array in checkpoint[domain].items()}
