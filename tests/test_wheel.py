"""The wheel, installed without the checkout: every command is there, and presets apply."""

import os
import pathlib
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).parent.parent
COMMANDS = sorted(path.stem for path in (ROOT / "munit_tf").glob("*.py") if "__main__" in path.read_text())


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package as the wheel has it; its dependencies are this environment's."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if name.startswith(("munit_tf/", "flags/", "pretrained/")) or "/" not in name:
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_symlink():
                target.symlink_to(os.readlink(ROOT / name))
            elif (ROOT / name).exists():
                target.write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--wheel-dir", folder, source]
    built = subprocess.run(build, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


# The wheel's package comes first, and the finder of an editable install does not bring in the checkout's.
# It compiles nothing, which takes longer than a few steps do.
RUN = """
import os, runpy, sys
sys.path.insert(0, sys.argv[1])
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
sys.argv = sys.argv[2:]
if "--help" not in sys.argv:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf
    tf.config.run_functions_eagerly(True)
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def run(installed, cwd, *arguments):
    """Runs `python -m ...` with the wheel's package and this environment's dependencies."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", RUN, str(installed), *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_presets_models_and_page_are_in_the_wheel(installed):
    for name in ("flags", "pretrained"):
        wanted, there = (
            {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
            for folder in (ROOT / name, installed / "munit_tf" / name)
        )
        assert wanted and there == wanted
    assert (installed / "munit_tf/explorer/page.css").is_file()


def test_the_pretrained_model_makes_flowers_of_a_drawing(installed, tmp_path):
    flags = ["--run=pretrained/edges2flowers", f"--input={ROOT / 'docs/drawings/daisy.png'}"]
    result = run(
        installed, tmp_path, "munit_tf.translate", *flags, "--direction=a2b", "--num_styles=2", "--output=out"
    )
    assert result.returncode == 0, result.stderr
    flowers = [np.asarray(Image.open(tmp_path / f"out/daisy_{k}.png")).astype(float) for k in range(2)]
    # Two styles differ, and each is colorful, unlike the drawing.
    assert np.abs(flowers[0] - flowers[1]).mean() > 10
    assert all(np.ptp(flower, axis=-1).mean() > 10 for flower in flowers)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_page(installed, tmp_path, command):
    result = run(installed, tmp_path, f"munit_tf.{command}", "--help")
    assert result.returncode == 0, result.stderr
    assert f"python -m munit_tf.{command}" in result.stdout


def test_two_steps_of_shapes_with_their_preset(installed, tmp_path):
    result = run(installed, tmp_path, "munit_tf.train", "--dataset=shapes", "--steps=2", "--output=run")
    assert result.returncode == 0, result.stderr
    assert f"using {os.path.relpath(installed / 'munit_tf/flags/shapes.flags', tmp_path)}" in result.stderr
    flags = (tmp_path / "run/run.flags").read_text()
    assert re.search(r"^--image_size=32x32$", flags, re.MULTILINE)
    assert (tmp_path / "run/checkpoints/step-2").is_dir()
