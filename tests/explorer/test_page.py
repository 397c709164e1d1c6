"""The page in a browser, served by the command."""

import io

import numpy as np
import pytest
from explorer.browsing import changing, download, move, note, open_page, pixels, refusal, shown, upload
from inference.run_folders import RESIZE, make_images, read
from PIL import Image

import munit_tf
from munit_tf import translate
from munit_tf.data import pipeline
from munit_tf.data.shapes import Shapes


@pytest.fixture(scope="module")
def model(run):
    return munit_tf.load(run)


def translated(model, image, code, direction="a2b"):
    """round((x + 1) * 127.5) of the model's translation of a PIL image."""
    images = model.translate(pipeline.to_array(image)[np.newaxis], direction, style=np.float32([code]))
    return np.clip(np.rint((images[0].numpy() + 1) * 127.5), 0, 255).astype(np.uint8)


def assert_close(got, wanted):
    """Equal but for the last bit of a convolution in another batch."""
    assert got.shape == wanted.shape
    assert np.abs(got.astype(int) - wanted).max() <= 1


def assert_table(table, model, codes):
    """Each of four rows: a picture, then its translation in each style, enlarged four times."""
    columns, side = 1 + len(codes), RESIZE * 4
    assert table.shape == (22 + 4 * (side + 4) + 4, columns * (side + 4) + 4, 3)
    for row in range(4):
        image = Shapes("a", "test", RESIZE)[row]
        wanted = [np.asarray(image), *(translated(model, image, code) for code in codes)]
        for column, cell in enumerate(wanted):
            top, left = 22 + 4 + row * (side + 4), 4 + column * (side + 4)
            assert_close(table[top : top + side : 4, left : left + side : 4], cell)


def test_first_picture_in_the_first_style_each_way(new_page, model):
    page = new_page()
    image = Shapes("a", "test", RESIZE)[0]
    np.testing.assert_array_equal(shown(page, "before"), np.asarray(image))
    assert_close(shown(page, "after"), translated(model, image, model.prior_style(10)[0]))
    np.testing.assert_allclose(
        [float(page.input_value(f".slider{k} input[type=range]")) for k in range(3)],
        model.prior_style(10)[0],
        atol=0.026,
    )
    with changing(page):
        page.get_by_text("filled shapes → outlines").click()
    image = Shapes("b", "test", RESIZE)[0]
    np.testing.assert_array_equal(shown(page, "before"), np.asarray(image))
    assert_close(shown(page, "after"), translated(model, image, model.prior_style(10)[0], "b2a"))
    page.wait_for_function("document.querySelectorAll('.random img').length == 10")


def test_each_direction_keeps_its_picture_and_style(new_page):
    page = new_page()
    move(page, 0, 1.5)
    first = shown(page, "before"), shown(page, "after")
    with changing(page):
        page.get_by_text("filled shapes → outlines").click()
    with changing(page):
        page.get_by_text("outlines → filled shapes").click()
    np.testing.assert_array_equal(first, [shown(page, "before"), shown(page, "after")])
    assert page.input_value(".slider0 input[type=range]") == "1.5"


def test_own_photo_sliders_and_the_code_for_translate(new_page, run, tmp_path):
    page = new_page()
    folder = make_images(tmp_path / "in", [(90, 60)], prefix="holiday", suffix=".png")
    with changing(page, "before"):
        upload(page, "photo", folder / "holiday0.png")
    note(page, "before", f"Resized from 90 x 60 to {RESIZE * 3 // 2} x {RESIZE} pixels")
    first = shown(page, "after")
    move(page, 0, 1.5)
    move(page, 2, -2)
    assert np.abs(first.astype(int) - shown(page, "after")).max() > 20
    assert download(page, ".code_file", tmp_path / "style.npy") == "style.npy"
    assert download(page, ".picture_file", tmp_path / "x.png") == "holiday0_a2b.png"
    code = np.load(tmp_path / "style.npy")
    assert code.shape == (1, 3) and code[0, [0, 2]].tolist() == [1.5, -2]
    flags = ["--direction=a2b", f"--style_from={tmp_path / 'style.npy'}", f"--output={tmp_path / 'out'}"]
    assert translate.main([f"--run={run}", f"--input={folder}", *flags]) == 0
    assert_close(read(tmp_path / "x.png"), read(tmp_path / "out" / "holiday0_0.png"))
    np.testing.assert_array_equal(shown(page, "after"), read(tmp_path / "x.png"))


def test_random_and_kept_styles(new_page, model, tmp_path):
    page = new_page()
    page.click(".more")
    page.wait_for_function("document.querySelectorAll('.random img').length == 20")
    with changing(page):
        page.click(".random button >> nth=12")
    page.click(".keep")
    page.get_by_role("tab", name="Kept").click()
    page.wait_for_function("document.querySelectorAll('.kept img').length == 4")
    assert page.inner_text(".codes_file") == "These 4 codes (.npy)"
    assert download(page, ".codes_file", tmp_path / "styles.npy") == "styles.npy"
    codes = np.load(tmp_path / "styles.npy")
    np.testing.assert_array_equal(codes[:3], model.prior_style(10)[:3])
    np.testing.assert_array_equal(codes[3], model.prior_style(10, seed=1)[2])

    page.click(".interpolate")
    page.wait_for_selector(".strip img >> nth=7")
    assert download(page, ".animation a", tmp_path / "animation.gif") == "animation.gif"
    with Image.open(tmp_path / "animation.gif") as animation:
        assert animation.n_frames == 8 + 6  # Forward and backward.

    page.get_by_role("tab", name="Table").click()
    page.click(".make_table")
    page.wait_for_selector(".table img")
    assert download(page, ".table a", tmp_path / "table.png") == "table.png"
    assert_table(read(tmp_path / "table.png"), model, codes)
    with changing(page):
        page.get_by_role("tab", name="Kept").click()
        page.click(".kept button >> nth=1")
    assert_close(shown(page, "after"), translated(model, Shapes("a", "test", RESIZE)[0], codes[1]))


def test_style_of_a_reference(new_page, model, tmp_path):
    page = new_page()
    page.get_by_role("tab", name="From a picture").click()
    with changing(page):
        page.click(".references button >> nth=3")
    download(page, ".code_file", tmp_path / "style.npy")
    reference = pipeline.to_array(Shapes("b", "test", RESIZE)[3])
    wanted = model.encode_style(reference[np.newaxis], "b")
    np.testing.assert_allclose(np.load(tmp_path / "style.npy"), wanted, atol=1e-5)
    photo = make_images(tmp_path / "in", [(RESIZE, RESIZE)]) / "image0.png"
    with changing(page):
        upload(page, "reference", photo)
    download(page, ".code_file", tmp_path / "photo.npy")
    wanted = model.encode_style(pipeline.to_array(Image.open(photo))[np.newaxis], "b")
    np.testing.assert_allclose(np.load(tmp_path / "photo.npy"), wanted, atol=1e-5)
    assert page.locator(".origin img").count() == 1


def bad_files(folder):
    """{path: what the page says of it}; all but the last two are refused."""
    folder.mkdir()
    (folder / "note.jpg").write_text("not a picture")
    (folder / "empty.png").write_bytes(b"")
    Image.new("1", (20_000, 20_000)).save(folder / "vast.png")
    whole = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(whole, "PNG")
    (folder / "torn.png").write_bytes(whole.getvalue()[:60])
    Image.new("CMYK", (40, 30), (0, 255, 255, 0)).save(folder / "print.jpg")
    frames = [Image.new("L", (30, 40), level) for level in (0, 120, 250)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:])
    return {
        "note.jpg": "note.jpg is not an image",
        "empty.png": "empty.png is empty",
        "vast.png": "vast.png has more than 178000000 pixels",
        "torn.png": "torn.png cannot be decoded",
        "print.jpg": "CMYK colors were converted",
        "film.gif": "This is the first frame of an animation",
    }


def test_bad_uploads(new_page, tmp_path):
    page = new_page()
    before = shown(page, "before")
    for name, text in bad_files(tmp_path / "bad").items():
        upload(page, "photo", tmp_path / "bad" / name)
        if name.startswith(("print", "film")):
            note(page, "before", text)
            assert page.locator(".toast-body").count() == 0
        else:
            refusal(page, text)
            np.testing.assert_array_equal(shown(page, "before"), before)
    assert (shown(page, "before") == 0).all()  # The film's first frame.
    move(page, 1, 2)


def test_visitors_do_not_see_each_others_pictures(new_page, model, tmp_path):
    half = RESIZE // 2
    painted = {"one": ("red", (0, 0, half, RESIZE)), "two": ("blue", (0, 0, RESIZE, half))}
    pages = {}
    for name, (color, box) in painted.items():
        image = Image.new("RGB", (RESIZE, RESIZE), "white")
        image.paste(color, box)
        image.save(tmp_path / f"{name}.png")
        pages[name] = new_page()
    for name, page in pages.items():
        with changing(page, "before"):
            upload(page, "photo", tmp_path / f"{name}.png")
    for name, page in pages.items():
        move(page, 0, 1)
        image = Image.open(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(shown(page, "before"), np.asarray(image))
        code = [1, *model.prior_style(10)[0][1:]]
        assert_close(shown(page, "after"), translated(model, image, code))
        page.wait_for_function("document.querySelectorAll('.pictures img').length == 13")
        seen = page.eval_on_selector_all(".pictures img", "images => images.map(image => image.src)")
        assert (pixels(page.request.get(seen[0]).body())[0, 0] == image.getpixel((0, 0))).all()
        for source in seen[1:]:
            assert (
                pixels(page.request.get(source).body())[0, 0] == 255
            ).all()  # The data set's are on white.


def test_nothing_is_cut_off_and_nothing_comes_from_elsewhere(browser, server):
    context = browser.new_context(color_scheme="dark")
    asked, problems = [], []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda line: line.type == "error" and problems.append(line.text))
    page = open_page(context, server.address)
    assert page.evaluate("document.body.classList.contains('dark')")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        cut = page.evaluate(
            "() => [...document.querySelectorAll('button, label, h2, p, a')]"
            ".filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"
        )
        assert [text for text in cut if text] == []
    assert {url for url in asked if not url.startswith((server.address, "data:", "blob:"))} == set()
    assert problems == []
    context.close()


def test_the_process_talks_to_this_machine_only_and_leaves_nothing(new_page, server, tmp_path):
    """The last test: it ends the process that the others share."""
    page = new_page()
    Image.new("RGB", (80, 40)).save(tmp_path / "photo.png")
    upload(page, "photo", tmp_path / "photo.png")
    note(page, "before", "to 44 x 22 pixels, the 1000 pixels that --max_pixels allows")
    assert list((server.folder / "tmp").glob("munit_tf-explore-*/*"))
    assert server.end() == 130
    assert list((server.folder / "tmp").iterdir()) == []
    hosts = set((server.folder / "hosts").read_text().split())
    assert hosts <= {"127.0.0.1", "localhost", "::1"}, hosts
    errors = (server.folder / "errors").read_text()
    assert "Traceback" not in errors and errors.endswith("munit_tf.explore: interrupted\n")
