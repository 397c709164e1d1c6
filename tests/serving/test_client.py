"""munit_tf.serving_client against a server process."""

import base64
import http.server
import io
import json
import os
import pathlib
import subprocess
import sys
import threading

import numpy as np
import pytest
from google.protobuf import text_format
from inference.run_folders import assert_rounded, read
from PIL import Image
from serving.client_runs import metadata, refused, run
from tensorflow_serving.config import model_server_config_pb2

from munit_tf import serving_client
from munit_tf.data.sources import list_images
from munit_tf.networks.input_padding import pad_to_fit
from munit_tf.serving import batch_client


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
            assert_rounded(read(tmp_path / "out" / f"{stem}_{k}.png"), result)


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
        data = batch_client.encoded(files, i)
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


def test_the_shipped_configuration_has_the_clients_model():
    config = model_server_config_pb2.ModelServerConfig()
    folder = pathlib.Path(__file__).parent.parent.parent / "tools" / "serving"
    text_format.Parse((folder / "models.config").read_text(), config)
    (entry,) = config.model_config_list.config
    assert entry.name == serving_client.ClientConfig.model
    assert f"target: {entry.base_path}\n" in (folder / "compose.yaml").read_text()


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
    command = [sys.executable, "-m", "munit_tf.serving_client", f"--server={server.grpc}", *flags]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0 and result.stdout == "wrote 1 pictures of 1 images to out\n"
    assert "1/1" in result.stderr and "Traceback" not in result.stderr
