"""The package's metadata and its one list of requirements."""

import importlib.metadata
import pathlib
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

import munit_tf

ROOT = pathlib.Path(munit_tf.__file__).resolve().parent.parent
LINES = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
REQUIREMENTS = [Requirement(line) for line in LINES if line]


def test_installed_package_requires_what_the_file_says():
    installed = [Requirement(text) for text in importlib.metadata.requires("munit-tf")]
    base = {str(item) for item in installed if "extra" not in str(item.marker)}
    assert base == {str(item) for item in REQUIREMENTS}


def test_this_environment_meets_the_file():
    for requirement in REQUIREMENTS:
        if requirement.marker is None or requirement.marker.evaluate():
            version = importlib.metadata.version(requirement.name)
            assert requirement.specifier.contains(version, prereleases=True), f"{requirement.name} {version}"


@pytest.mark.parametrize(
    "python, tensorflow, addons",
    [("3.9", "2.15.1", True), ("3.11", "2.15.1", True), ("3.12", "2.21.0", False), ("3.13", "2.21.0", False)],
)
def test_markers_choose_one_stack(python, tensorflow, addons):
    chosen = {
        item.name: item
        for item in REQUIREMENTS
        if item.marker is None or item.marker.evaluate({"python_version": python})
    }
    assert chosen["tensorflow"].specifier.contains(tensorflow)
    assert chosen["keras"].specifier.contains("2.15.0" if addons else "3.15.1")
    assert ("tensorflow-addons" in chosen) == addons


def test_version_is_the_modules():
    assert importlib.metadata.version("munit-tf") == munit_tf.__version__


def test_help_is_readable_and_no_error():
    result = subprocess.run(
        [sys.executable, "-m", "munit_tf.train", "--help"], capture_output=True, text=True, cwd="/"
    )
    assert result.returncode == 0
    assert "--dataset" in result.stdout and "summer2winter" in result.stdout
    # TensorFlow 2.21 logs its set-up whatever it is told.
    assert "munit_tf" not in result.stderr and "Traceback" not in result.stderr
