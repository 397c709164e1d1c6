"""Drawings: thin lines where colors change, at the size of training, and in step with their photos."""

import concurrent.futures

import numpy as np
import pytest
from PIL import Image

from munit_tf.config.options import DataConfig
from munit_tf.data import pipeline, registry
from munit_tf.data.edges import Edges, draw_edges
from munit_tf.data.sources import ImageFiles
from munit_tf.errors import InputError


def square(size, color=(200, 0, 0), ground=(0, 0, 0)):
    """A square of half the size in the middle."""
    image = Image.new("RGB", (size, size), ground)
    quarter = size // 4
    image.paste(color, (quarter, quarter, size - quarter, size - quarter))
    return image


def levels(drawing):
    array = np.asarray(drawing)
    assert array.dtype == np.uint8 and (array == array[..., :1]).all()
    return array[..., 0]


def dark(drawing):
    return int((levels(drawing) < 128).sum())


@pytest.fixture
def photos(tmp_path):
    """Six photos, 24 x 36: a bright rectangle that lies elsewhere in each, on a dark ground."""
    for i in range(6):
        image = Image.new("RGB", (36, 24), (10, 20, 30))
        image.paste((250, 240, 40 * i), (4 + 2 * i, 6 + i, 14 + 2 * i, 16 + i))
        image.save(tmp_path / f"{i}.png")
    return tmp_path


def test_an_outline_pixel_by_pixel():
    drawing = draw_edges(square(16))
    assert drawing.mode == "RGB" and drawing.size == (16, 16)
    black = np.zeros((16, 16), bool)
    black[4:12, [4, 11]] = black[[4, 11], 4:12] = True
    np.testing.assert_array_equal(levels(drawing) == 0, black)
    assert levels(drawing)[8].tolist() == [255, 255, 255, 191, 0, 191] + [255] * 4 + [191, 0, 191] + [255] * 3


@pytest.mark.parametrize("size", [64, 128, 256])
def test_lines_are_as_thin_at_every_size(size):
    row = levels(draw_edges(square(size)))[size // 2]
    first, second = size // 4 - 1, size - size // 4 - 1
    assert {i: int(level) for i, level in enumerate(row) if level < 255} == {
        line + side: 0 if side == 0 else 191 for line in (first, second) for side in (-1, 0, 1)
    }


def test_texture_that_is_fine_for_the_size_is_not_drawn():
    """Stripes of three pixels are smoothed away at 256 pixels; at 32 they are the drawing."""
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[np.arange(256) % 6 < 3] = 60
    stripes[:, 128:] += 50
    drawing = levels(draw_edges(Image.fromarray(stripes)))[10:-10]
    assert drawing[:, :120].min() == drawing[:, 136:].min() == 255
    assert (drawing[:, 120:136].min(axis=1) < 128).all()
    assert dark(draw_edges(Image.fromarray(stripes[:32, :32]))) == 320


def test_colors_of_one_brightness_have_an_edge():
    color, ground = (0, 118, 0), (200, 0, 0)
    gray = [Image.new("RGB", (1, 1), each).convert("L").getpixel((0, 0)) for each in (color, ground)]
    assert abs(gray[0] - gray[1]) < 10
    assert dark(draw_edges(square(64, color, ground))) == dark(draw_edges(square(64))) == 124


@pytest.mark.parametrize("level", [60, 120, 250])
def test_faint_photos_have_the_same_edges(level):
    faint = draw_edges(square(64, (level, 0, 0)))
    np.testing.assert_array_equal(levels(faint), levels(draw_edges(square(64))))


@pytest.mark.parametrize(
    "photo",
    [Image.new("RGB", (64, 64), "teal"), square(64, (20, 0, 0)), Image.new("RGB", (1, 1)), square(3)],
)
def test_a_photo_without_contrast_is_white(photo):
    assert levels(draw_edges(photo)).min() == 255


def test_noise_and_specks_are_not_drawn():
    clean = square(128, (200, 40, 40), (60, 60, 60))
    noisy = np.asarray(clean) + np.random.default_rng(0).normal(0, 6, (128, 128, 3))
    noisy = np.clip(noisy, 0, 255).astype(np.uint8)
    noisy[10, 10] = 255  # Its edge has fewer than 13 pixels.
    drawing = draw_edges(Image.fromarray(noisy))
    near = np.zeros((128, 128), bool)
    near[28:100, 28:100] = True
    near[36:92, 36:92] = False
    assert levels(drawing)[~near].min() == 255
    assert abs(dark(drawing) - 252) < 20
    noisy[10, 10:20] = 255
    assert levels(draw_edges(Image.fromarray(noisy)))[:28].min() == 0


def test_weak_edges_need_a_strong_part():
    """An edge that fades is drawn to its faint end; one that is as faint all along is not."""
    photo = np.full((64, 64, 3), 50.0)
    photo[20:32] += np.linspace(200, 60, 64)[:, None]
    photo[5:10] += 200
    photo[48:] += 60
    drawing = levels(draw_edges(Image.fromarray(photo.astype(np.uint8))))
    assert (drawing[29:35].min(axis=0) == 0).all()
    assert drawing[40:].min() == 255


def test_the_source_draws_at_the_size_of_training(photos):
    edges = Edges(ImageFiles([f"{photos}/{i}.png" for i in range(3)]), 12)
    assert len(edges) == 3
    assert edges[2].size == (18, 12)
    assert edges.name(2) == f"{photos}/2.png (edges)"
    photo = Image.open(photos / "2.png").resize((18, 12), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(levels(edges[2]), levels(draw_edges(photo)))
    assert 0 < dark(edges[2]) < 18 * 12 / 3


def test_threads_draw_the_same(photos):
    edges = Edges(ImageFiles([f"{photos}/{i}.png" for i in range(6)]), 24)
    expected = [levels(edges[i]) for i in range(6)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(edges.__getitem__, [0, 1, 2, 3, 4, 5] * 5))
    for i, drawing in enumerate(drawn):
        np.testing.assert_array_equal(levels(drawing), expected[i % 6])


def test_a_photo_that_is_too_thin_or_unreadable_is_named(tmp_path):
    Image.new("RGB", (2, 60000)).save(tmp_path / "thin.png")
    (tmp_path / "text.png").write_text("text")
    edges = Edges(ImageFiles([f"{tmp_path}/thin.png", f"{tmp_path}/text.png"]), 256)
    with pytest.raises(InputError, match=r"thin\.png: 60000x2 pixels is too long and thin for --resize=256"):
        edges[0]
    with pytest.raises(InputError, match=r"text\.png is not an image"):
        edges[1]


def batches(config, stop, start=0):
    train = registry.open_dataset(config).train
    steps = pipeline.training_batches(
        train, resize=config.resize, image_size=config.image_size, batch_size=2, seed=0, start=start,
        stop=stop, paired=config.paired,
    )  # fmt: skip
    return [{domain: batch[domain].numpy() for domain in ("a", "b")} for batch in steps]


def box(mask):
    """(top, bottom, left, right) of the pixels that are set."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([rows[0], rows[-1], columns[0], columns[-1]])


def place(batch, row):
    """Where the rectangle lies in the drawing and in the photo, and its blue in the photo."""
    drawn, photo = box(batch["a"][row, ..., 0] < 0), box(batch["b"][row, ..., 0] > 0)
    return drawn, photo


def test_paired_drawings_lie_on_their_photos(photos):
    """Crops and flips are those of the photo: every rectangle is wholly in the crop of 24 x 32."""
    config = DataConfig(dataset=str(photos), edges=True, paired=True, resize=24, image_size=(24, 32))
    steps = batches(config, 12)
    for batch in steps:
        assert batch["a"].shape == batch["b"].shape == (2, 24, 32, 3)
        for row in range(2):
            drawn, photo = place(batch, row)
            # An edge lies between two pixels, either of which may be drawn.
            assert np.abs(drawn - photo).max() <= 1
    assert len({tuple(place(batch, row)[1]) for batch in steps for row in range(2)}) > 6


def test_unpaired_drawings_come_in_an_order_of_their_own(photos):
    config = DataConfig(dataset=str(photos), edges=True, resize=24, image_size=(24, 32))
    steps = batches(config, 12)
    apart = [np.abs(np.subtract(*place(batch, row))).max() > 1 for batch in steps for row in range(2)]
    assert sum(apart) > 12
    # A run that starts later sees the same.
    for late, step in zip(batches(config, 12, start=9), steps[9:]):
        np.testing.assert_array_equal(late["a"], step["a"])
        np.testing.assert_array_equal(late["b"], step["b"])


def test_values_span_the_range(photos):
    config = DataConfig(dataset=str(photos), edges=True, resize=24, image_size=(24, 24))
    images = np.concatenate([batch["a"] for batch in batches(config, 6)])
    assert images.dtype == np.float32 and (images.min(), images.max()) == (-1, 1)
