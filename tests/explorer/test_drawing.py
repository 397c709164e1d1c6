"""Drawing with the mouse, in a browser: a model that translates edges."""

import types

import numpy as np
import pytest
from explorer.browsing import Server, changing, shown, upload
from inference.run_folders import RESIZE, make_images, make_run
from PIL import Image

import munit_tf
from munit_tf.data import pipeline
from munit_tf.data.edges import draw_edges
from munit_tf.data.resizing import resize_shorter


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("drawing") / "run", dataset="edges2flowers")


@pytest.fixture(scope="module")
def server(run, browser):
    server = Server(run.parent / "server", f"--run={run}")
    yield server
    server.end()
    assert "Traceback" not in (server.folder / "errors").read_text()


def draw(page, *points):
    """Draws a line through points, given as (x, y) in fractions of the canvas, which is square."""
    box = page.locator(".drawing canvas").first.bounding_box()
    side = min(box["width"], box["height"])
    center = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    x, y = [[middle + (point[k] - 0.5) * side for point in points] for k, middle in enumerate(center)]
    page.mouse.move(x[0], y[0])
    page.mouse.down()
    for position in zip(x[1:], y[1:]):
        page.mouse.move(*position, steps=10)
    page.mouse.up()


def test_every_line_of_a_drawing_is_translated_in_all_styles(browser, server, run):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(server.address)
    page.wait_for_selector(".drawing canvas")
    assert page.locator(".random img").count() == 0  # There are no pictures to begin with.
    draw(page, (0.3, 0.5), (0.7, 0.5))
    page.wait_for_function("document.querySelectorAll('.random img').length == 10")
    across = shown(page, "before").min(-1)
    assert across.shape == (RESIZE, RESIZE)
    middle = RESIZE // 2
    assert across[:, middle].min() < 230 and across[: middle - 6].min() == across[middle + 6 :].min() == 255

    with changing(page, "before"):
        draw(page, (0.5, 0.3), (0.5, 0.7))
    both = shown(page, "before")
    rows, columns = np.nonzero(both.min(-1) < 230)
    assert np.ptp(rows) > RESIZE // 6 and np.ptp(columns) > RESIZE // 6
    model = munit_tf.load(run)
    image = pipeline.to_array(Image.fromarray(both))
    wanted = model.translate(image[np.newaxis], "a2b", style=model.prior_style(10)[:1])[0].numpy()
    assert np.abs(shown(page, "after") - (wanted + 1) * 127.5).max() <= 1.5
    context.close()


def test_a_part_of_a_drawing_with_a_large_index_takes_no_memory():
    page = pytest.importorskip("munit_tf.explorer.page")
    taken = []
    accept = page._of_one_layer(taken.append)
    parts = [types.SimpleNamespace(data={"index": index}) for index in ("null", "0", 0, "1", 10**9, -1)]
    for part in parts:
        accept(part)
    assert taken == parts[:3]


def test_the_edges_of_a_photo_or_an_uploaded_drawing(browser, server, tmp_path):
    make_images(tmp_path, [(90, 60)])
    photo = Image.open(tmp_path / "image0.png")
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.address)
    page.wait_for_selector(".drawing canvas")
    upload(page, "photo", tmp_path / "image0.png")
    page.wait_for_selector(".before img")
    resized = resize_shorter(photo, RESIZE)
    np.testing.assert_array_equal(shown(page, "before"), np.asarray(draw_edges(resized)))
    page.click(".edges input")
    with changing(page, "before"):
        upload(page, "photo", tmp_path / "image0.png")
    np.testing.assert_array_equal(shown(page, "before"), np.asarray(resized))
    context.close()
