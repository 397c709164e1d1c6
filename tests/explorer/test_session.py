"""Sessions and pages of every method."""

import importlib.util
import socket

import numpy as np
import pytest
from conformance.methods import TINY
from inference.run_folders import RESIZE, make_images, make_run
from PIL import Image

import munit_tf
from munit_tf.cli import command_line
from munit_tf.config.options import DataConfig
from munit_tf.data import pipeline
from munit_tf.data.shapes import Shapes
from munit_tf.errors import InputError
from munit_tf.explorer.model_service import ModelService, open_images
from munit_tf.explorer.server import serve
from munit_tf.explorer.session import Session
from munit_tf.inference.interpolation import slerp
from munit_tf.models import METHODS
from munit_tf.runs import loading, run_folder

# (options, directions, style_dim, whether it can encode a picture's style)
HAS = {
    "munit": ({}, 2, 3, True),
    "miso": ({}, 2, 3, True),
    "unit": ({}, 2, 0, False),
    "cyclegan": ({"noise_dim": 2}, 2, 2, False),
    "bicyclegan": ({}, 1, 3, True),
    "drit": ({}, 2, 3, True),
    "cyclegan without noise": ({"noise_dim": 0}, 2, 0, False),
}


@pytest.mark.parametrize("images", [True, False])
def test_a_drawing_is_the_first_row_of_the_table(images, tmp_path, monkeypatch, eagerly):
    run = make_run(tmp_path / "run", dataset="shapes" if images else "edges2flowers")
    state = Session(ModelService(str(run), 10_000), "a2b")
    state.choose_drawing(Image.new("RGB", (512, 512), "white"))
    rows = state.table(3)
    assert [picture.name for picture, _ in rows] == ["drawing", "a0", "a1"][: 3 if images else 1]


def test_no_method_is_left_out():
    assert {name.split()[0] for name in HAS} == set(METHODS)


@pytest.mark.parametrize("name", HAS)
def test_a_method(name, tmp_path, monkeypatch, eagerly):
    more, directions, style_dim, guided = HAS[name]
    method = name.split()[0]
    argv = ["--dataset=shapes", f"--method={method}", f"--resize={RESIZE}", f"--output={tmp_path}"]
    run_folder.RunFolder(tmp_path).write_options(command_line.parse(argv, run_folder.CONFIGS)[0])
    monkeypatch.setattr(
        loading, "load", lambda path, **_: munit_tf.create(method, **{**TINY[method], **more})
    )
    service = ModelService(str(tmp_path), 10_000)
    state = Session(service, "a2b")
    if style_dim:
        state.move(1, 0.7)
        assert state.style[1] == np.float32(0.7) and state.style[0] == service.random_codes(10, 0)[0, 0]
    image = pipeline.to_array(state.picture.image)[np.newaxis]
    style = None if state.style is None else state.style[np.newaxis]
    expected = service.model.translate(image, "a2b", style=style)
    np.testing.assert_allclose(state.translation(), expected[0], atol=2e-5)
    rows = state.table(2)
    assert [len(translations) for _, translations in rows] == [len(state.kept) if style_dim else 1] * 2
    if guided:
        state.take_style_of(state.references[0])
        assert state.style.shape == (style_dim,) and state.reference

    if importlib.util.find_spec("gradio") is None:
        pytest.skip("Gradio is not installed: the page was not built")
    from munit_tf.explorer import page

    there: list[str] = []
    for part in page.build(service).get_config_file()["components"]:
        there += part["props"].get("elem_classes") or []
    assert [there.count(part) for part in ("before", "after", "photo", "table", "pictures")] == [
        directions
    ] * 5
    assert there.count("more_pictures") == directions
    assert {f"slider{k}" for k in range(9)} & {*there} == {f"slider{k}" for k in range(style_dim)}
    assert ("direction" in there) == (directions == 2)
    assert ("references" in there) == guided
    for part in ("random", "kept", "interpolation", "codes_file"):
        assert (part in there) == bool(style_dim)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    return ModelService(str(make_run(tmp_path_factory.mktemp("state") / "run", dataset="shapes")), 10_000)


def test_sessions_share_only_the_service(service, tmp_path):
    one, other, back = Session(service, "a2b"), Session(service, "a2b"), Session(service, "b2a")
    path = make_images(tmp_path / "in", [(RESIZE, RESIZE)]) / "image0.png"
    one.choose(one.pictures.add(str(path)))
    one.move(0, 9)
    one.keep()
    one.draw_more()
    assert (len(one.pictures), len(one.kept), len(one.random)) == (13, 4, 20)
    for each in (other, back):
        assert (len(each.pictures), len(each.kept), len(each.random)) == (12, 3, 10)
        assert each.picture is not one.picture and each.style[0] != 9
    assert one.style[0] == 9


def test_a_style_is_kept_once_and_interpolation_connects_two_styles(service):
    state = Session(service, "a2b")
    state.keep()
    assert len(state.kept) == 3  # The first random style is among them.
    codes = slerp(state.kept[0], state.kept[2], 4)
    np.testing.assert_allclose(codes[[0, -1]], [state.kept[0], state.kept[2]], atol=1e-6)
    np.testing.assert_allclose(next(state.translations(codes)), state.translation(), atol=2e-5)


def test_more_pictures_are_the_next_ones(service):
    images = Session(service, "a2b").pictures
    first = [np.asarray(each.image) for each in images]
    images.more()
    second = [np.asarray(each.image) for each in images]
    np.testing.assert_array_equal(second[0], Shapes("a", "test", RESIZE)[12])
    assert len(first) == len(second) == 12 and not np.array_equal(first[0], second[0])
    for _ in range(8):
        images.more()
    np.testing.assert_array_equal(images[0].image, Shapes("a", "test", RESIZE)[8])  # 108 of 100.


def test_without_the_data_sets_images(tmp_path, monkeypatch):
    for dataset, reason in (
        ("photos", "--dataset=photos is neither a known name nor a folder."),
        ("horse2zebra", "The images of horse2zebra are not on this machine."),
        ("edges2shoes", "The images of edges2shoes are not on this machine."),
        (None, "The run does not say which images it was trained on."),
    ):
        images, no_images_reason = open_images(DataConfig(dataset=dataset, data_dir=str(tmp_path / "none")))
        assert images is None and no_images_reason.endswith(reason)


def test_edges_of_photos_that_are_given_alone(tmp_path):
    Image.new("RGB", (RESIZE, 2 * RESIZE)).save(tmp_path / "x.png")
    images, _ = open_images(DataConfig(train_b=str(tmp_path), edges=True, resize=RESIZE))
    assert images["a"][0].size == images["b"][0].size == (RESIZE, 2 * RESIZE)


def test_a_broken_image_of_the_data_set_is_left_out(service, monkeypatch, capsys):
    class Images(list):
        def __getitem__(self, index):
            if index == 1:
                raise InputError("x.jpg cannot be decoded")
            return Image.new("RGB", (RESIZE, RESIZE))

    monkeypatch.setattr(service, "_images", {"a": Images(range(3)), "b": []})
    assert len(Session(service, "a2b").pictures) == 2
    assert capsys.readouterr().err == "munit_tf.explore: x.jpg cannot be decoded\n"


def test_only_uploads(service, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "_images", None)
    state = Session(service, "a2b")
    assert state.picture is None and state.pictures == []
    path = make_images(tmp_path / "in", [(RESIZE, RESIZE)]) / "image0.png"
    state.choose(state.pictures.add(str(path)))
    assert len(state.table(4)) == 1


def test_a_port_that_is_taken(service):
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("Gradio is not installed: pip install -e '.[explore]'")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = f"^--port={port} is not free: choose another with --port"
        with pytest.raises(InputError, match=message), serve(service, port):
            pass
