"""Writes `golden/written_by_keras2` or `..._keras3`, for the other Keras to read.

python tests/make_keras_compat.py
"""

import keras
import numpy as np
from conformance.methods import tiny_batch
from reference import FOLDER

from munit_tf.cli import command_line
from munit_tf.runs import loading, run_folder

FLAGS = [
    "--dataset=shapes",
    "--output=/runs/keras_compat",
    "--resize=16",
    "--image_size=16",
    "--style_dim=2",
    "--gen_dim=2",
    "--mlp_dim=4",
    "--num_res_blocks=1",
    "--dis_dim=2",
    "--num_dis_layers=2",
    "--num_scales=2",
    "--dis_norm=spectral",
]


def results(model, steps):
    """What must be the same with either Keras: outputs, and the losses of two more steps."""
    batch = tiny_batch(model, 2, seed=1)
    found = {
        "x_ab": model.translate(batch["a"], "a2b", seed=1).numpy(),
        "x_ba": model.translate(batch["b"], "b2a", seed=1).numpy(),
        "style_b": model.encode_style(batch["b"], "b").numpy(),
    }
    for step in steps:
        for name, value in model.train_step(tiny_batch(model, 2, seed=step)).items():
            found[f"step{step}/{name}"] = float(value)
    return found


def main():
    """Trains two steps, saves, and notes what follows."""
    keras.utils.set_random_seed(0)
    folder = run_folder.RunFolder(FOLDER / f"written_by_keras{keras.__version__[0]}")
    options, _ = command_line.parse(FLAGS, run_folder.CONFIGS)
    model = loading.build_model(options)
    model.compile(run_eagerly=True)
    for step in (1, 2):
        model.train_step(tiny_batch(model, 2, seed=step))
    folder.write_options(options)
    loading.checkpoint_manager(folder, model, keep=1).save()
    np.savez_compressed(folder.path / "expected.npz", **results(model, (3, 4)))


if __name__ == "__main__":
    main()
