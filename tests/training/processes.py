"""The training command in a process of its own, on photos made here."""

import json

import forked
import numpy as np
import tensorflow as tf
from PIL import Image

TINY = [
    "--resize=20",
    "--image_size=16",
    "--gen_dim=4",
    "--dis_dim=4",
    "--mlp_dim=8",
    "--num_res_blocks=1",
    "--num_dis_layers=2",
    "--num_scales=1",
    "--batch_size=2",
    "--log_every=1",
]

# CycleGAN's pool of older fakes is state besides weights and moments.
CYCLEGAN = [
    "--method=cyclegan",
    "--noise_dim=0",
    "--pool_size=3",
    "--dataset=photos",
    "--resize=20",
    "--image_size=16",
    "--gen_dim=4",
    "--num_downsample=1",
    "--num_res_blocks=1",
    "--dis_dim=4",
    "--num_dis_layers=1",
    "--num_scales=1",
    "--batch_size=2",
    "--checkpoint_every=1",
]


def make_photos(folder, count=6, test_count=2, size=(24, 20)):
    """Noisy JPEGs of `size` = (width, height): trainA and trainB with `count` each, testA and testB.

    Of few test images a run without a graph makes its sample grids in less time than of many.
    """
    rng = np.random.default_rng(0)
    for split in ("trainA", "trainB", "testA", "testB"):
        (folder / split).mkdir(parents=True)
        for i in range(count if split.startswith("train") else min(count, test_count)):
            pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / split / f"{i:03d}.jpg", quality=95)
    return folder


def train(*flags, **options):
    """Runs the training command; see `forked.run`."""
    return forked.run("train", *flags, **options)


def state(run, step):
    """{name: array} of a checkpoint."""
    reader = tf.train.load_checkpoint(str(run / "checkpoints" / f"step-{step}" / "state"))
    return {
        key: reader.get_tensor(key)
        for key in reader.get_variable_to_shape_map()
        if not key.startswith("_CHECKPOINTABLE")
    }


def log(run):
    """The rows of log.jsonl, without what no two runs share."""
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in row.items() if name not in ("images_per_second", "peak_memory_mib")}
        for row in rows
    ]


def assert_same_run(first, second, step):
    """Every weight, moment and counter, and every loss, bit for bit."""
    states = state(first, step), state(second, step)
    assert states[0].keys() == states[1].keys() and len(states[0]) > 80
    different = [key for key in states[0] if not np.array_equal(states[0][key], states[1][key])]
    assert different == []
    assert log(first) == log(second)
