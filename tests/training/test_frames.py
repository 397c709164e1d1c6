"""How far it is from the command to the gradient."""

import subprocess
import sys

from training.processes import TINY, make_photos

CODE = """
import sys, traceback
import tensorflow as tf
from munit_tf import train

original, seen = tf.GradientTape.gradient, set()

def gradient(*args, **kwargs):
    frames = traceback.extract_stack()
    seen.add(tuple(each.name for each in frames if "/munit_tf/" in each.filename))
    return original(*args, **kwargs)

tf.GradientTape.gradient = gradient
status = train.main(sys.argv[1:])
for names in sorted(seen):
    print("frames:", *names)
sys.exit(status)
"""


def test_six_frames_from_the_command_to_the_gradient(tmp_path):
    make_photos(tmp_path / "photos")
    flags = ["--dataset=photos", *TINY, "--steps=1", "--output=run"]
    result = subprocess.run(
        [sys.executable, "-c", CODE, *flags], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    stacks = [line.split()[1:] for line in result.stdout.splitlines() if line.startswith("frames:")]
    assert stacks == [
        ["main", "train", "_take_steps", "step", "train_step", "_update_discriminators"],
        ["main", "train", "_take_steps", "step", "train_step", "_update_generators"],
    ]
