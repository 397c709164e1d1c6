"""Uploaded files become pictures that the networks can take, and say what was done to them."""

import io

import numpy as np
import pytest
from PIL import Image

from munit_tf.errors import InputError
from munit_tf.explorer import photos


def saved(path, image, *more, **options):
    image.save(path, *more, **options)
    return str(path)


def read(path, resize=20, max_pixels=10_000):
    return photos.read(path, resize, max_pixels)


def test_nothing_is_said_where_nothing_was_done(tmp_path):
    image = Image.fromarray(np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3))
    picture = read(saved(tmp_path / "my dog.png", image))
    assert (picture.name, picture.notes) == ("my dog", "")
    np.testing.assert_array_equal(picture.image, image)


def test_resized_as_in_training_or_to_what_the_device_takes(tmp_path):
    path = saved(tmp_path / "x.png", Image.new("RGB", (300, 100)))
    picture = read(path)
    assert picture.image.size == (60, 20)
    assert picture.notes == "Resized from 300 x 100 to 60 x 20 pixels, its shorter side as in training."
    picture = read(path, max_pixels=300)
    assert picture.image.size == (30, 10)
    assert picture.notes.endswith("to 30 x 10 pixels, the 300 pixels that --max_pixels allows.")
    line = saved(tmp_path / "line.png", Image.new("RGB", (9000, 1)))
    assert read(line, max_pixels=300).image.size == (300, 1)


def test_formats_that_lose_something_say_so(tmp_path):
    cmyk = read(saved(tmp_path / "x.jpg", Image.new("CMYK", (20, 20), (0, 255, 255, 0))))
    assert "CMYK" in cmyk.notes and cmyk.image.getpixel((0, 0))[0] > 200 > 60 > cmyk.image.getpixel((0, 0))[1]
    frames = [Image.new("L", (20, 20), level) for level in (10, 120, 250)]
    film = read(saved(tmp_path / "x.gif", frames[0], save_all=True, append_images=frames[1:]))
    assert film.notes == "This is the first frame of an animation."
    assert film.image.getpixel((0, 0)) == (10, 10, 10)
    clear = read(saved(tmp_path / "x.png", Image.new("RGBA", (20, 20), (255, 0, 0, 0))))
    assert clear.notes == "Transparent areas became white."
    assert clear.image.getpixel((0, 0)) == (255, 255, 255)


def test_what_is_refused(tmp_path):
    whole = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(whole, "PNG")
    for name, data in {"a.jpg": b"text", "b.png": b"", "c.png": whole.getvalue()[:60]}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=f"^{name} "):
            read(str(tmp_path / name))
