"""munit_tf.serving_client ends with one line that says what is wrong."""

import os
import shutil
import socket

import numpy as np
import pytest
from PIL import Image
from serving.client_runs import metadata, refused
from serving.conftest import MAX_PIXELS, serving


def test_an_unknown_model(where, photos, tmp_path, capsys):
    line = refused(capsys, where, f"--input={photos}", "--direction=a2b", f"--output={tmp_path}/out")
    assert "has no model munit (" in line and "Servable not found for request: Latest(munit)" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flag", ["--server=127.0.0.1:{}", "--rest=http://127.0.0.1:{}"])
def test_a_refused_connection(flag, photos, tmp_path, capsys):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # Bound and not listening: the port refuses.
        where = flag.format(unused.getsockname()[1])
        line = refused(capsys, where, f"--input={photos}", "--direction=a2b", f"--output={tmp_path}/out")
    assert "is not available: check that the server is running" in line and "Connection refused" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["http://[::1", "http://localhost:port"])
def test_an_address_that_is_none(address, photos, tmp_path, capsys):
    flags = [f"--input={photos}", "--direction=a2b", f"--output={tmp_path}/out"]
    assert f"{address} is not available" in refused(capsys, f"--rest={address}", *flags)


def test_the_port_of_the_other_protocol(server, photos, tmp_path, capsys):
    flags = [f"--input={photos}", "--direction=a2b", f"--output={tmp_path}/out"]
    grpc_port, rest_port = server.grpc, server.rest.removeprefix("http://")
    for where in (f"--server={rest_port}", f"--rest=http://{grpc_port}"):
        assert "that this is the right one of its two ports" in refused(capsys, where, *flags)


def test_an_image_above_the_servers_limit(where, photos, tmp_path, capsys):
    Image.new("RGB", (MAX_PIXELS // 10 + 1, 10)).save(tmp_path / "large.png")
    shutil.copy(photos / "c.png", tmp_path / "a.png")
    flags = [f"--input={tmp_path}", "--direction=a2b", "--model=tiny", "--num_styles=1"]
    line = refused(capsys, where, *flags, f"--output={tmp_path}/out")
    assert f"{tmp_path}/large.png: " in line
    assert f"height and width must multiply to 1 to {MAX_PIXELS}, not] [10 {MAX_PIXELS // 10 + 1}]" in line
    # What came before stays, and nothing is half-written.
    assert sorted(os.listdir(tmp_path / "out")) == ["a_0.png", "a_styles.npy"]


def test_broken_images_stay_here(where, photos, tmp_path, capsys):
    data = (photos / "a.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    flags = [f"--input={tmp_path}", "--direction=a2b", "--model=tiny", f"--output={tmp_path}/out"]
    assert f"{tmp_path}/cut.jpg cannot be decoded" in refused(capsys, where, *flags)
    assert os.listdir(tmp_path / "out") == []


def test_styles_of_a_wrong_length(where, photos, tmp_path, capsys):
    np.save(tmp_path / "codes.npy", np.zeros((2, 8), np.float32))
    flags = [f"--input={photos}", "--direction=a2b", "--model=tiny", f"--output={tmp_path}/out"]
    line = refused(capsys, where, *flags, f"--style_from={tmp_path / 'codes.npy'}")
    assert line.endswith(
        f"--style_from={tmp_path / 'codes.npy'}: it must hold an array of numbers "
        "[number of styles, 3], not one of shape [2, 8]"
    )


def test_a_slow_server_and_a_small_one(exported, photos, tmp_path, capsys):
    flags = [f"--input={photos / 'a.jpg'}", "--direction=a2b", "--model=tiny", f"--output={tmp_path}/out"]
    with serving(exported, "--delay=30", "--max_message_bytes=500") as server:
        ways = f"--server={server.grpc}", f"--rest={server.rest}"
        line = refused(capsys, ways[0], *flags)
        assert "lacks resources: the message is too large" in line and "vs. 500" in line
        small = photos / "c.png"
        assert small.stat().st_size < 400
        for where in ways:
            line = refused(capsys, where, *flags, f"--input={small}", "--timeout=2")
            assert f"{small}: " in line and "did not respond in time: use a --timeout of more than 2" in line


@pytest.mark.parametrize("body", [b"hello", b"[1, 2]", b'{"metadata": {}}', b""])
def test_something_else_than_tf_serving(serve, body, photos, tmp_path, capsys):
    where = f"--rest={serve(body)}"
    line = refused(capsys, where, f"--input={photos}", "--direction=a2b", f"--output={tmp_path}/out")
    assert "does not respond like TF Serving" in line


@pytest.mark.parametrize(
    "body, status, length, message",
    [
        (b"<h1>out of</h1>\n order", 502, None, " refuses the request: HTTP 502: <h1>out of</h1> order"),
        (
            b"too much",
            413,
            None,
            "the message is too large, or the server is overloaded (HTTP 413: too much)",
        ),
        (b"{", 200, 1000, " is not available: check that the server is running"),
        (b"{", 500, 1000, " refuses the request: HTTP 500: Internal Server Error"),
    ],
)
def test_answers_of_a_proxy(serve, photos, tmp_path, capsys, body, status, length, message):
    where = f"--rest={serve(body, length, status)}"
    flags = [f"--input={photos}", "--direction=a2b", f"--output={tmp_path}/out"]
    assert message in refused(capsys, where, *flags)


def test_another_model(photos, tmp_path, capsys, serve):
    """One that was not written by the export command, and one that has a single direction."""
    where = f"--rest={serve(metadata('serving_default', 'x'))}"
    flags = [f"--input={photos}", "--model=other", f"--output={tmp_path}/out"]
    line = refused(capsys, where, *flags, "--direction=a2b")
    assert line.endswith("model other was not written by munit_tf.export: signature serving_default takes x")
    line = refused(capsys, where, *flags, "--direction=b2a")
    assert line.endswith("model other has no signature serve_b2a: it has serving_default")


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--server=a", "--rest=http://b"], "--server and --rest exclude each other"),
        (["--num_styles=2", "--style_from=x.npy"], "--num_styles and --style_from exclude each other"),
        (["--rest=localhost:8501"], "--rest=localhost:8501: it must begin with http:// or https://"),
        (["--direction=both"], "must be one of a2b, b2a"),
        (["--input=/nowhere"], "no image found at /nowhere"),
        (["--timeout=0"], "--timeout=0"),
    ],
)
def test_flags_that_cannot_be(flags, message, photos, tmp_path, capsys):
    common = [f"--input={photos}", "--direction=a2b", f"--output={tmp_path}/out"]
    assert message in refused(capsys, *common, *flags)
    assert not (tmp_path / "out").exists()


def test_two_images_of_one_name(photos, tmp_path, capsys):
    for name in ("x.jpg", "x.jpeg"):
        shutil.copy(photos / "a.jpg", tmp_path / name)
    line = refused(capsys, f"--input={tmp_path}", "--direction=a2b", f"--output={tmp_path}/out")
    assert f"{tmp_path}/x.jpeg and {tmp_path}/x.jpg would both be written as x_0.png" in line


def test_an_output_that_cannot_be_written(where, photos, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    flags = [f"--input={photos}", "--direction=a2b", "--model=tiny", f"--output={tmp_path}/file/out"]
    assert "file/out cannot be written: Not a directory" in refused(capsys, where, *flags)
    assert (tmp_path / "file").read_text() == ""
