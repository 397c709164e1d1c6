"""Every method has a desk that works, and a page of what it has."""

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
from munit_tf.errors import InputError
from munit_tf.explorer.model_service import Studio, open_images
from munit_tf.explorer.server import Server
from munit_tf.explorer.session import Visit
from munit_tf.models import METHODS
from munit_tf.runs import loading, run_folder

# (options, directions, style_dim, whether it tells a picture's style)
HAS = {
    "munit": ({}, 2, 3, True),
    "miso": ({}, 2, 3, True),
    "unit": ({}, 2, 0, False),
    "cyclegan": ({"noise_dim": 2}, 2, 2, False),
    "bicyclegan": ({}, 1, 3, True),
    "drit": ({}, 2, 3, True),
    "cyclegan without noise": ({"noise_dim": 0}, 2, 0, False),
}


def test_no_method_is_left_out():
    assert {name.split()[0] for name in HAS} == set(METHODS)


@pytest.mark.parametrize("name", HAS)
def test_a_method(name, tmp_path, monkeypatch):
    more, directions, style_dim, guided = HAS[name]
    method = name.split()[0]
    argv = ["--dataset=shapes", f"--method={method}", f"--resize={RESIZE}", f"--output={tmp_path}"]
    run_folder.RunFolder(tmp_path).write_options(command_line.parse(argv, run_folder.CONFIGS)[0])
    monkeypatch.setattr(loading, "load", lambda path: munit_tf.create(method, **{**TINY[method], **more}))
    studio = Studio(str(tmp_path), 10_000)
    desk = Visit(studio).desk
    desk.open()
    if style_dim:
        desk.move(1, 0.7)
        assert desk.style[1] == np.float32(0.7) and desk.style[0] == studio.random_codes(10, 0)[0, 0]
    image = pipeline.to_array(desk.picture.image)[np.newaxis]
    style = None if desk.style is None else desk.style[np.newaxis]
    wanted = studio.model.translate(image, "a2b", style=style)
    np.testing.assert_allclose(desk.translation(), wanted[0], atol=2e-5)
    rows = desk.table(2)
    assert [len(made) for _, made in rows] == [len(desk.kept) if style_dim else 1] * 2
    if guided:
        desk.take_style_of(desk.references.pictures()[0])
        assert desk.style.shape == (style_dim,) and desk.reference

    if importlib.util.find_spec("gradio") is None:
        pytest.skip("Gradio is not installed: the page was not built")
    from munit_tf.explorer import page

    there = {part["props"].get("elem_id") for part in page.build(studio).get_config_file()["components"]}
    assert {f"slider{k}" for k in range(9)} & there == {f"slider{k}" for k in range(style_dim)}
    assert ("direction" in there) == (directions == 2)
    assert ("references" in there) == guided
    for part in ("random", "kept", "way", "codes"):
        assert (part in there) == bool(style_dim)
    assert {"before", "after", "photo", "table", "pictures", "more_pictures"} <= there


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    return Studio(str(make_run(tmp_path_factory.mktemp("desk") / "run", dataset="shapes")), 10_000)


def test_desks_share_nothing_but_the_studio(studio, tmp_path):
    one, other = Visit(studio), Visit(studio)
    for visit in (one, other):
        visit.desk.open()
    path = make_images(tmp_path / "in", [(RESIZE, RESIZE)]) / "image0.png"
    one.desk.choose(one.desk.sources.add(str(path)))
    one.desk.move(0, 9)
    one.desk.keep()
    one.desk.draw_more()
    assert (len(one.desk.sources.pictures()), len(one.desk.kept), len(one.desk.random)) == (13, 4, 20)
    assert (len(other.desk.sources.pictures()), len(other.desk.kept), len(other.desk.random)) == (12, 3, 10)
    assert other.desk.picture is not one.desk.picture and other.desk.style[0] != 9
    one.turn("b2a")
    one.desk.open()
    assert len(one.desk.sources.pictures()) == 12
    one.turn("a2b")
    assert one.desk.style[0] == 9


def test_a_style_is_kept_once_and_the_way_goes_from_one_to_another(studio):
    desk = Visit(studio).desk
    desk.open()
    desk.keep()
    assert len(desk.kept) == 3  # The first random style is among them.
    codes, images = desk.way(0, 2, 4)
    np.testing.assert_allclose(codes[[0, -1]], [desk.kept[0], desk.kept[2]], atol=1e-6)
    np.testing.assert_allclose(images[0], desk.translation(), atol=2e-5)


def test_more_pictures_are_the_next_ones(studio):
    shelf = Visit(studio).desk.sources
    first = [np.asarray(each.image) for each in shelf.pictures()]
    shelf.more()
    second = [np.asarray(each.image) for each in shelf.pictures()]
    np.testing.assert_array_equal(second[0], studio.picture("a", 12).image)
    assert len(first) == len(second) == 12 and not np.array_equal(first[0], second[0])
    for _ in range(8):
        shelf.more()
    np.testing.assert_array_equal(shelf.pictures()[0].image, studio.picture("a", 8).image)  # 108 of 100.


def test_without_the_data_sets_images(tmp_path, monkeypatch):
    for dataset, reason in (
        ("photos", "--dataset=photos is neither a known name nor a folder."),
        ("horse2zebra", "The images of horse2zebra are not on this machine."),
        ("edges2shoes", "The images of edges2shoes are not on this machine."),
        (None, "The run does not say which images it was trained on."),
    ):
        images, lack = open_images(DataConfig(dataset=dataset, data_dir=str(tmp_path / "none")))
        assert images is None and lack.endswith(reason)


def test_a_broken_image_of_the_data_set_is_left_out(studio, monkeypatch, capsys):
    class Images(list):
        def __getitem__(self, index):
            if index == 1:
                raise InputError("x.jpg cannot be decoded")
            return Image.new("RGB", (RESIZE, RESIZE))

    monkeypatch.setattr(studio, "_images", {"a": Images(range(3)), "b": Images(range(3))})
    assert len(Visit(studio).desk.sources.pictures()) == 2
    assert capsys.readouterr().err == "munit_tf.explore: x.jpg cannot be decoded\n"


def test_only_uploads(studio, tmp_path, monkeypatch):
    monkeypatch.setattr(studio, "_images", None)
    desk = Visit(studio).desk
    desk.open()
    assert desk.picture is None and desk.sources.pictures() == []
    path = make_images(tmp_path / "in", [(RESIZE, RESIZE)]) / "image0.png"
    desk.choose(desk.sources.add(str(path)))
    assert len(desk.table(4)) == 1


def test_a_port_that_is_taken(studio):
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("Gradio is not installed: pip install -e '.[explore]'")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"^--port={port} is not free: give another by --port"):
            Server(studio, port)
