"""A run and photos of several sizes for a module's tests."""

import pytest
from inference.run_folders import SIZES, make_images, make_run, run


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with `run` and `photos`, of `SIZES`."""
    folder = tmp_path_factory.mktemp("translate")
    make_run(folder / "run")
    make_images(folder / "photos", SIZES)
    return folder


@pytest.fixture(scope="module")
def three_styles(here):
    """{name: bytes} of the photos under three random styles, in `here / "three"`."""
    return run(here, here / "three", "--num_styles=3")
