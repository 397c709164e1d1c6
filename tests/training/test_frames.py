"""How far it is from the command to the gradient."""

import traceback

import tensorflow as tf
from training.processes import TINY, make_photos

from munit_tf import train


def test_six_frames_from_the_command_to_the_gradient(tmp_path, monkeypatch, eagerly):
    make_photos(tmp_path / "photos")
    original, seen = tf.GradientTape.gradient, set()

    def gradient(*args, **kwargs):
        frames = traceback.extract_stack()
        seen.add(tuple(each.name for each in frames if "/munit_tf/" in each.filename))
        return original(*args, **kwargs)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tf.GradientTape, "gradient", gradient)
    assert train.main(["--dataset=photos", *TINY, "--steps=1", "--output=run"]) == 0
    assert sorted(seen) == [
        ("main", "train", "take_steps", "step", "train_step", "_update_discriminators"),
        ("main", "train", "take_steps", "step", "train_step", "_update_generators"),
    ]
