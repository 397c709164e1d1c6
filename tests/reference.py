"""Reference results of the authors' implementation."""

import json
import pathlib

import numpy as np

from munit_tf.models import pytorch_import

FOLDER = pathlib.Path(__file__).parent / "golden"


class Golden:
    """One file: options, inputs, weights and results."""

    def __init__(self, name):
        self.arrays = np.load(FOLDER / f"{name}.npz")
        self.method = name.split("_")[0]
        self.config = json.loads(str(self.arrays["config_json"]))

    def __getitem__(self, key):
        """The array of that name."""
        return self.arrays[key]

    def options(self):
        """The options for `munit_tf.create`."""
        config, gen, dis = self.config, self.config["gen"], self.config["dis"]
        if self.method == "unit":
            own = dict(kl_weight=config["recon_kl_w"], kl_cycle_weight=config["recon_kl_cyc_w"])
        else:
            own = dict(
                style_dim=gen["style_dim"],
                mlp_dim=gen["mlp_dim"],
                recon_s_weight=config["recon_s_w"],
                recon_c_weight=config["recon_c_w"],
            )
        return dict(
            **own,
            gen_dim=gen["dim"],
            num_downsample=gen["n_downsample"],
            num_res_blocks=gen["n_res"],
            dis_dim=dis["dim"],
            num_dis_layers=dis["n_layer"],
            num_scales=dis["num_scales"],
            gan_loss=dis["gan_type"],
            gan_weight=config["gan_w"],
            recon_x_weight=config["recon_x_w"],
            cycle_weight=config["recon_x_cyc_w"],
            learning_rate=config["lr"],
            beta_1=config["beta1"],
            beta_2=config["beta2"],
            weight_decay=config["weight_decay"],
        )

    def batch(self, step):
        """The batch of a step, counted from 0."""
        images = {"a": self["x_a"], "b": self["x_b"]}
        if self.method == "unit":
            # Theirs is named by the way there, ours by the image whose latent it is.
            names = {"noise_a": "a", "noise_b": "b", "noise_cycle_a": "cyc_ab", "noise_cycle_b": "cyc_ba"}
            return images | {name: self[f"noise/step{step + 1}/{theirs}"] for name, theirs in names.items()}
        return images | {f"style_{domain}": self[f"styles_{domain}"][step] for domain in "ab"}

    def load_weights(self, model):
        """Sets every weight of `model`; fails unless the names match one to one."""
        state = {}
        for key in self.arrays.files:
            if key.startswith("state/"):
                _, network, name = key.split("/")
                state[f"{network[-1]}/{name}"] = self[key]
        pytorch_import.assign(
            model.named_weights(), state, self.config["gen"]["n_downsample"], "the golden file"
        )
