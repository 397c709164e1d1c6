"""The grid: bounded, and each picture where it belongs."""

import numpy as np
from PIL import Image

from munit_tf.inference import result_grid
from munit_tf.inference.input_images import Inputs
from munit_tf.inference.output_folder import OutputFolder
from munit_tf.inference.styles import Styles


def make(folder, count, styles_count, size=(120, 100), references=None):
    """The grid of `count` inputs of level i; the level of their translations to style k is 100 + 10 i + k."""
    (folder / "in").mkdir()
    labels = [str(k) for k in range(styles_count)]
    styles = Styles(np.zeros((styles_count, 2), np.float32), labels, [], references)
    output = OutputFolder(folder / "out", styles)
    output.begin([])
    for i in range(count):
        Image.new("RGB", size, (i, i, i)).save(folder / "in" / f"{i:02d}.png")
        for k in range(styles_count):
            level = (100 + 10 * i + k) / 127.5 - 1
            output.write_picture(f"{i:02d}", k, np.full((*size[::-1], 3), level, np.float32))
    inputs = Inputs(str(folder / "in"), None)
    return np.asarray(result_grid.make(inputs, inputs.stems(), output, styles))


def cell(grid, x, y, size=(120, 100)):
    left, top = 4 + x * (size[0] + 4), 26 + y * (size[1] + 4)
    return grid[top : top + size[1], left : left + size[0]]


def test_inputs_down_and_styles_across(tmp_path):
    grid = make(tmp_path, 2, 3)
    assert grid.shape == (26 + 2 * 104, 4 + 4 * 124, 3)
    for i in range(2):
        assert (cell(grid, 0, i) == i).all()
        for k in range(3):
            assert (cell(grid, 1 + k, i) == 100 + 10 * i + k).all()


def test_references_on_top(tmp_path):
    (tmp_path / "refs").mkdir()
    for k in range(2):
        Image.new("RGB", (60, 100), (0, 0, 200 + k)).save(tmp_path / "refs" / f"{k}.png")
    grid = make(tmp_path, 1, 2, references=Inputs(str(tmp_path / "refs"), None))
    assert (cell(grid, 0, 0) == 255).all()
    for k in range(2):
        assert (cell(grid, 1 + k, 0)[:, 30:90] == (0, 0, 200 + k)).all()
        assert (cell(grid, 1 + k, 0)[:, :30] == 255).all()
        assert (cell(grid, 1 + k, 1) == 100 + k).all()


def test_bounded_however_much_there_is(tmp_path):
    grid = make(tmp_path, 11, 18, size=(600, 300))
    assert grid.shape == (26 + 10 * (128 + 4), 4 + 17 * (256 + 4), 3)
