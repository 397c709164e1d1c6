"""Whatever a client sends, the server answers with an error and lives on."""

import io
import struct
import zlib

import grpc
import numpy as np
import pytest
from data.hostile import jpeg_scans
from PIL import Image
from serving.conftest import MAX_PIXELS
from serving.requests_to_server import ask_grpc, encoded, picture, post, rng, to_json


def png(width, height, data=b""):
    """A PNG file with any size in its header."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg(width, height):
    """A JPEG file up to and with its frame header, with any size in it."""
    return (
        b"\xff\xd8\xff\xc0\x00\x11\x08"
        + struct.pack(">HH", height, width)
        + b"\x03\x01\x22\0\x02\x11\x01\x03\x11\x01"
    )


def disguised():
    """A PNG file of 3000 x 3000 with an unknown chunk before the header, which looks like one of 16 x 16."""
    large = encoded(Image.new("L", (3000, 3000)))
    kind, body = b"abCd", struct.pack(">II", 16, 16)
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return large[:8] + chunk + large[8:]


WHOLE_PNG, WHOLE_JPEG = encoded(picture(40, 40)), encoded(picture(40, 40), "JPEG")
FRAME = WHOLE_JPEG.index(b"\xff\xc0")
BAD = {
    "empty": b"",
    "text": b"not an image",
    "html": b"<html>" * 1000,
    "one byte": b"\x89",
    "gif": encoded(picture(16, 16), "GIF"),
    "png signature": WHOLE_PNG[:8],
    "png of 23 bytes": WHOLE_PNG[:23],
    "png of 24 bytes": WHOLE_PNG[:24],
    "png without data": WHOLE_PNG[:33],
    "png cut in half": WHOLE_PNG[: len(WHOLE_PNG) // 2],
    "png with a flipped bit": WHOLE_PNG[:60] + bytes([WHOLE_PNG[60] ^ 1]) + WHOLE_PNG[61:],
    "png of 100000 x 100000": png(100_000, 100_000),
    # As int32, this product wraps around to 0.
    "png of 65536 x 65536": png(65_536, 65_536),
    "png of 4294967295 x 1": png(2**32 - 1, 1),
    "png of 2147483647 x 2147483647": png(2**31 - 1, 2**31 - 1),
    "png of 0 x 16": png(0, 16),
    "png with a false header": disguised(),
    "png with too little data": png(100, 100, b"\0" * 10),
    "png above the limit": encoded(Image.new("RGB", (MAX_PIXELS + 1, 1))),
    "jpeg signature": WHOLE_JPEG[:3],
    "jpeg before the frame": WHOLE_JPEG[:FRAME],
    "jpeg cut after the frame header": WHOLE_JPEG[: FRAME + 19],
    "jpeg cut in half": WHOLE_JPEG[: len(WHOLE_JPEG) // 2],
    "jpeg of 65535 x 65535": jpeg(65_535, 65_535),
    "jpeg of 0 x 0": jpeg(0, 0),
    "jpeg of 16 x 16 without data": jpeg(16, 16),
    "jpeg above the limit": encoded(Image.new("RGB", (MAX_PIXELS + 1, 1)), "JPEG"),
    "jpeg of noise": b"\xff\xd8\xff" + rng.bytes(5000),
    "jpeg of 1001 scans": jpeg_scans(991),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_and_the_server_lives(server, model, name):
    style = np.zeros([2, model.style_dim], np.float32)
    files = np.array([WHOLE_PNG, BAD[name]], object)
    with pytest.raises(grpc.RpcError) as caught:
        ask_grpc(server, "serving_default", {"image_bytes": files, "style": style})
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    inputs = {"image_bytes": to_json(files), "style": style.tolist()}
    assert post(server, {"signature_name": "serve_b2a", "inputs": inputs})["error"]
    good = {"image_bytes": files[:1], "style": style[:1]}
    assert len(ask_grpc(server, "serving_default", good)["translated_bytes"]) == 1
    assert server.process.poll() is None


def test_the_largest_image_allowed_is_translated(session, model):
    width = MAX_PIXELS // 100
    files = np.array([encoded(picture(100, width), format) for format in ("PNG", "JPEG")], object)
    style = np.zeros([2, model.style_dim], np.float32)
    outputs = session.run("serving_default", {"image_bytes": files, "style": style})["translated_bytes"]
    assert [Image.open(io.BytesIO(output)).size for output in outputs] == [(width, 100)] * 2


@pytest.mark.parametrize(
    "name, shapes, message",
    [
        ("translate_a2b", ([1, 17, 16, 3], [1, 3]), "images: height and width must be multiples of 4"),
        ("translate_a2b", ([1, 16, 12, 3], [1, 3]), "at least 16"),
        ("translate_a2b", ([1, 200, 104, 3], [1, 3]), f"multiply to at most {MAX_PIXELS}"),
        ("translate_a2b", ([2, 16, 16, 3], [1, 3]), "images and style: must be equally many"),
        ("translate_b2a", ([1, 16, 16, 3], [1, 4]), ""),
        ("translate_b2a", ([1, 16, 16, 1], [1, 3]), ""),
        ("translate_b2a", ([16, 16, 3], [1, 3]), ""),
        ("guided_a2b", ([1, 16, 16, 3], [1, 16, 18, 3]), "style_images: height and width"),
    ],
)
def test_wrong_shapes_are_refused_and_the_server_lives(server, name, shapes, message):
    keys = ("images", "style_images" if name.startswith("guided") else "style")
    inputs = {key: np.zeros(shape, np.float32) for key, shape in zip(keys, shapes)}
    with pytest.raises(grpc.RpcError) as caught:
        ask_grpc(server, name, inputs)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert message in caught.value.details()
    assert server.process.poll() is None


def test_files_and_styles_must_be_equally_many(server, model):
    files = np.array([WHOLE_PNG] * 2, object)
    for count in (0, 1, 3):
        with pytest.raises(grpc.RpcError, match="image_bytes and style: must be equally many"):
            style = np.zeros([count, model.style_dim], np.float32)
            ask_grpc(server, "serving_default", {"image_bytes": files, "style": style})


def test_jpeg_files_of_many_scans_are_translated(session, model):
    """Data after an image may look like more of them."""
    file = jpeg_scans(50) + b"\xff\xda" * 900
    inputs = {"image_bytes": np.array([file], object), "style": np.zeros([1, model.style_dim], np.float32)}
    assert session.run("serving_default", inputs)["translated_bytes"][0].startswith(b"\x89PNG")
