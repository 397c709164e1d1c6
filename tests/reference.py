"""Reference results of the authors' implementation, and its names for our weights."""

import json
import pathlib
import re

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "golden"


class Golden:
    """One file: options, inputs, weights and results."""

    def __init__(self, name):
        self.arrays = np.load(FOLDER / f"{name}.npz")
        self.config = json.loads(str(self.arrays["config_json"]))

    def __getitem__(self, key):
        """The array of that name."""
        return self.arrays[key]

    def options(self):
        """The options for `munit_tf.create`."""
        config, gen, dis = self.config, self.config["gen"], self.config["dis"]
        return dict(
            style_dim=gen["style_dim"],
            gen_dim=gen["dim"],
            mlp_dim=gen["mlp_dim"],
            num_downsample=gen["n_downsample"],
            num_res_blocks=gen["n_res"],
            dis_dim=dis["dim"],
            num_dis_layers=dis["n_layer"],
            num_scales=dis["num_scales"],
            gan_loss=dis["gan_type"],
            gan_weight=config["gan_w"],
            recon_x_weight=config["recon_x_w"],
            recon_s_weight=config["recon_s_w"],
            recon_c_weight=config["recon_c_w"],
            cycle_weight=config["recon_x_cyc_w"],
            learning_rate=config["lr"],
            beta_1=config["beta1"],
            beta_2=config["beta2"],
            weight_decay=config["weight_decay"],
        )

    def batch(self, step):
        """The batch of a step, counted from 0."""
        return {
            "a": self["x_a"],
            "b": self["x_b"],
            "style_a": self["styles_a"][step],
            "style_b": self["styles_b"][step],
        }

    def load_weights(self, model):
        """Sets every weight of `model`; fails unless the names match one to one."""
        num_downsample = self.config["gen"]["n_downsample"]
        loaded = set()
        weights = model.named_weights()
        for key in self.arrays.files:
            if key.startswith("state/"):
                name = our_name(key[len("state/") :], num_downsample)
                weights[name].assign(our_layout(self[key], weights[name].shape))
                loaded.add(name)
        assert loaded == set(weights)


def our_name(official, num_downsample):
    """`gen_a/enc_content.model.0.conv.weight` -> `generators/a/content_encoder/convs/0/conv/kernel`."""
    rules = [
        (r"gen_(.)/", r"generators/\1/"),
        (r"dis_(.)/", r"discriminators/\1/"),
        (r"enc_style\.model\.6\.", "style_encoder/head/"),
        (r"enc_style\.model\.(\d)\.conv\.", r"style_encoder/convs/\1/conv/"),
        (
            rf"enc_content\.model\.{num_downsample + 1}\.model\.(\d)\.model\.(\d)\.",
            r"content_encoder/res_blocks/\1/\2/",
        ),
        (r"enc_content\.model\.(\d)\.conv\.", r"content_encoder/convs/\1/conv/"),
        (r"dec\.model\.0\.model\.(\d)\.model\.(\d)\.", r"decoder/res_blocks/\1/\2/"),
        (rf"dec\.model\.{2 * num_downsample + 1}\.", "decoder/to_image/"),
        (r"dec\.model\.(\d)\.", lambda match: f"decoder/convs/{int(match[1]) // 2 - 1}/"),
        (r"mlp\.model\.(\d)\.fc\.", r"decoder/mlp/\1/"),
        (r"cnns\.(\d)\.(\d)\.", r"scales/\1/\2/"),
        (r"(res_blocks/\d)/0/", r"\1/first/"),
        (r"(res_blocks/\d)/1/", r"\1/second/"),
        (r"(conv|norm)\.", r"\1/"),
        (r"weight$", "kernel"),
    ]
    for pattern, replacement in rules:
        official = re.sub(pattern, replacement, official)
    return official


def our_layout(array, shape):
    """A PyTorch weight (out, in, height, width) as [height, width, in, out], or (out, in) as [in, out]."""
    if array.ndim == 4:
        array = array.transpose(2, 3, 1, 0)
        return array.reshape(shape)
    return array.T if array.ndim == 2 else array
