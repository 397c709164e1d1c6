"""tools/serving_client.py against a server process."""

import base64
import http.server
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
import serving_client
from google.protobuf import text_format
from PIL import Image
from serving.conftest import MAX_PIXELS, serving
from tensorflow_serving.config import model_server_config_pb2

from munit_tf.data.sources import list_images
from munit_tf.padding import pad_to_fit
from munit_tf.serving import sending


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Files of every kind, under names whose order is known."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)

    def photo(height, width):
        return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))

    exif = Image.Exif()
    exif[0x0112] = 6
    photo(18, 25).save(folder / "a.jpg", quality=90)
    photo(18, 25).save(folder / "b.turned.jpg", quality=90, exif=exif)
    photo(7, 9).save(folder / "c.png")
    photo(20, 16).save(folder / "d.webp", lossless=True)
    translucent = photo(16, 16)
    translucent.putalpha(100)
    translucent.save(folder / "e.png")
    Image.fromarray(rng.integers(0, 65536, (17, 16), dtype=np.uint16)).save(folder / "f.png")
    return folder


@pytest.fixture(params=["grpc", "rest"])
def where(request, server):
    return {"grpc": f"--server={server.grpc}", "rest": f"--rest={server.rest}"}[request.param]


def run(capsys, *flags):
    """(exit status, standard output, the last line of standard error that is not the progress bar's)."""
    status = serving_client.main([*map(str, flags)])
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if "picture/s" not in line and "?picture" not in line]
    return status, out, "\n".join(lines).strip()


def refused(capsys, *flags):
    """The one line that a run ends with."""
    status, out, err = run(capsys, *flags)
    assert (status, out) == (2, "")
    line = err.splitlines()[-1]
    assert line.startswith("serving_client: ") and len(line) < 900, err
    return line


def expected(model, path, direction, codes):
    """What the model makes of a file as training sees it: [K,H,W,3] in [-1, 1]."""
    images = np.asarray(list_images(str(path))[0], np.float32)[np.newaxis] / 127.5 - 1
    padded = pad_to_fit(images, model.config.size_multiple, model.config.smallest_input)
    results = [model.translate(padded, direction, style=code[np.newaxis]) for code in codes]
    return np.concatenate(results)[:, : images.shape[1], : images.shape[2]]


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_every_photo_is_translated_as_the_model_does(where, direction, model, photos, tmp_path, capsys):
    flags = [f"--input={photos}", f"--direction={direction}", "--model=tiny", f"--output={tmp_path}/out"]
    status, out, _ = run(capsys, where, *flags, "--num_styles=2", "--seed=5")
    assert status == 0 and out.startswith("wrote 12 pictures of 6 images to ")
    codes = model.prior_style(2, seed=5).numpy()
    stems = ["a", "b.turned", "c", "d", "e", "f"]
    names = [f"{stem}_{end}" for stem in stems for end in ("0.png", "1.png", "styles.npy")]
    assert sorted(os.listdir(tmp_path / "out")) == names
    for path, stem in zip(sorted(photos.iterdir()), stems):
        np.testing.assert_array_equal(np.load(tmp_path / "out" / f"{stem}_styles.npy"), codes)
        for k, result in enumerate(expected(model, path, direction, codes)):
            picture = np.asarray(Image.open(tmp_path / "out" / f"{stem}_{k}.png"), np.float32) / 127.5 - 1
            assert picture.shape == result.shape
            assert np.abs(picture - result).max() <= 0.5 / 127.5 + 1e-5, path


def test_saved_styles_and_resizing(where, model, photos, tmp_path, capsys):
    codes = np.array([[1, -2, 0.5]], np.float32)
    np.save(tmp_path / "codes.npy", codes)
    flags = [f"--input={photos / 'b.turned.jpg'}", "--direction=a2b", "--model=tiny", f"--output={tmp_path}"]
    assert run(capsys, where, *flags, f"--style_from={tmp_path / 'codes.npy'}", "--resize=32")[0] == 0
    assert Image.open(tmp_path / "b.turned_0.png").size == (32, 44)  # 25 x 18, turned.
    np.testing.assert_array_equal(np.load(tmp_path / "b.turned_styles.npy"), codes)


def test_what_is_sent(photos):
    """What a server decodes as training does goes as it is; the rest upright, on white, in 8 bits."""
    files = list_images(str(photos))
    for i, path in enumerate(files.paths):
        data = sending.encoded(files, i)
        if os.path.basename(path) in ("a.jpg", "c.png"):
            assert data == pathlib.Path(path).read_bytes()
        else:
            image = Image.open(io.BytesIO(data))
            assert (image.format, image.mode, "exif" in image.info) == ("PNG", "RGB", False)
            np.testing.assert_array_equal(np.asarray(image), np.asarray(files[i]))


def test_versions(where, photos, tmp_path, capsys):
    flags = [f"--input={photos / 'c.png'}", "--direction=a2b", "--model=tiny", "--num_styles=1"]
    for version in ("--version=1", "--version=7"):
        assert run(capsys, where, *flags, version, f"--output={tmp_path}/out")[0] == 0
    line = refused(capsys, where, *flags, "--version=2", f"--output={tmp_path}/no")
    assert "has no model tiny in version 2 (" in line
    assert "Servable not found for request: Specific(tiny, 2)" in line
    assert not (tmp_path / "no").exists()


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
    assert "is not available: is the server running" in line and "Connection refused" in line
    assert not (tmp_path / "out").exists()


def test_the_port_of_the_other_protocol(server, photos, tmp_path, capsys):
    flags = [f"--input={photos}", "--direction=a2b", f"--output={tmp_path}/out"]
    grpc_port, rest_port = server.grpc, server.rest.removeprefix("http://")
    for where in (f"--server={rest_port}", f"--rest=http://{grpc_port}"):
        assert "is this the right one of its two ports?" in refused(capsys, where, *flags)


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
        assert "has no room: the message is too large" in line and "vs. 500" in line
        small = photos / "c.png"
        assert small.stat().st_size < 400
        for where in ways:
            line = refused(capsys, where, *flags, f"--input={small}", "--timeout=2")
            assert f"{small}: " in line and "has not answered in time: give a larger --timeout than 2" in line


def test_the_shipped_configuration_has_the_clients_model():
    config = model_server_config_pb2.ModelServerConfig()
    folder = pathlib.Path(serving_client.__file__).parent / "serving"
    text_format.Parse((folder / "models.config").read_text(), config)
    (entry,) = config.model_config_list.config
    assert entry.name == serving_client.ClientConfig.model
    assert f"target: {entry.base_path}\n" in (folder / "compose.yaml").read_text()


@pytest.mark.parametrize("body", [b"hello", b"[1, 2]", b'{"metadata": {}}', b""])
def test_something_else_than_tf_serving(serve, body, photos, tmp_path, capsys):
    where = f"--rest={serve(body)}"
    line = refused(capsys, where, f"--input={photos}", "--direction=a2b", f"--output={tmp_path}/out")
    assert "does not answer as TF Serving does" in line


@pytest.mark.parametrize(
    "body, status, length, message",
    [
        (b"<h1>out of</h1>\n order", 502, None, " refuses the request: HTTP 502: <h1>out of</h1> order"),
        (b"too much", 413, None, "the message is too large, or the server overloaded (HTTP 413: too much)"),
        (b"{", 200, 1000, " is not available: is the server running"),
        (b"{", 500, 1000, " refuses the request: HTTP 500: Internal Server Error"),
    ],
)
def test_answers_of_a_proxy(serve, photos, tmp_path, capsys, body, status, length, message):
    where = f"--rest={serve(body, length, status)}"
    flags = [f"--input={photos}", "--direction=a2b", f"--output={tmp_path}/out"]
    assert message in refused(capsys, where, *flags)


def metadata(signature, key):
    """REST's answer for a model of one signature of one input of shape [N]."""
    inputs = {key: {"tensor_shape": {"dim": [{"size": "-1"}]}}}
    return json.dumps(
        {"metadata": {"signature_def": {"signature_def": {signature: {"inputs": inputs}}}}}
    ).encode()


def test_another_model(photos, tmp_path, capsys, serve):
    """One that was not written by the export command, and one that has a single direction."""
    where = f"--rest={serve(metadata('serving_default', 'x'))}"
    flags = [f"--input={photos}", "--model=other", f"--output={tmp_path}/out"]
    line = refused(capsys, where, *flags, "--direction=a2b")
    assert line.endswith("model other was not written by munit_tf.export: signature serving_default takes x")
    line = refused(capsys, where, *flags, "--direction=b2a")
    assert line.endswith("model other has no signature serve_b2a: it has serving_default")


def test_a_model_without_style(photos, tmp_path, capsys, server):
    """No style is sent, one picture comes back, and no codes are written."""
    seen = []
    file = (photos / "c.png").read_bytes()
    sent = {"b64": base64.b64encode(file).decode()}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self._answer(metadata("serve_b2a", "image_bytes"))

        def do_POST(self):
            seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(json.dumps({"outputs": [sent]}).encode())

        def _answer(self, reply):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        where = f"--rest=http://127.0.0.1:{other.server_port}/"
        flags = [f"--input={photos / 'c.png'}", "--direction=b2a", f"--output={tmp_path}/out"]
        assert run(capsys, where, *flags)[0] == 0
        assert "has no style" in refused(capsys, where, *flags, "--num_styles=2")
        other.shutdown()
    assert seen == [{"signature_name": "serve_b2a", "inputs": {"image_bytes": [sent]}}]
    assert os.listdir(tmp_path / "out") == ["c_0.png"]
    assert (tmp_path / "out" / "c_0.png").read_bytes() == file


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--server=a", "--rest=http://b"], "--server and --rest exclude each other"),
        (["--num_styles=2", "--style_from=x.npy"], "--num_styles and --style_from exclude each other"),
        (["--rest=localhost:8501"], "--rest=localhost:8501: it must begin with http:// or https://"),
        (["--direction=both"], "must be one of a2b, b2a"),
        (["--input=/nowhere"], "no image is at /nowhere"),
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


def test_help(capsys):
    status, out, _ = run(capsys, "--help")
    assert status == 0 and "--style_from" in out
    assert max(map(len, out.splitlines())) <= 110


def test_a_process_of_its_own(server, photos, tmp_path):
    flags = [
        f"--input={photos / 'c.png'}",
        "--direction=a2b",
        "--output=out",
        "--num_styles=1",
        "--model=tiny",
    ]
    command = [sys.executable, serving_client.__file__, f"--server={server.grpc}", *flags]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0 and result.stdout == "wrote 1 pictures of 1 images to out\n"
    assert "1/1" in result.stderr and "Traceback" not in result.stderr
