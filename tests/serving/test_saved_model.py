"""A SavedModel against the model in memory, in every way that it can be asked."""

import base64
import io
import json
import struct
import urllib.error
import urllib.request
import zlib

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from serving.conftest import MAX_PIXELS
from serving.session import Version
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2, prediction_service_pb2_grpc

from munit_tf.padding import pad_to_fit

DIRECTIONS = {"serving_default": "a2b", "serve_b2a": "b2a"}
FLOAT_SIGNATURES = ["translate_a2b", "translate_b2a", "guided_a2b", "guided_b2a", "encode_a", "encode_b"]
rng = np.random.default_rng(0)


def ask_grpc(server, signature, inputs):
    with grpc.insecure_channel(server.grpc) as channel:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "tiny"
        request.model_spec.signature_name = signature
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        outputs = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request).outputs
    return {key: tf.make_ndarray(value) for key, value in outputs.items()}


def post(server, body):
    """The reply of REST, also to a refused request."""
    request = urllib.request.Request(f"{server.rest}/v1/models/tiny:predict", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request) as reply:
            return json.loads(reply.read())
    except urllib.error.HTTPError as error:
        assert error.code == 400
        return json.loads(error.read())


def to_json(value):
    value = np.asarray(value)
    if value.dtype == object:
        return [{"b64": base64.b64encode(item).decode()} for item in value]
    return value.tolist()


def from_json(value):
    if isinstance(value[0], dict):
        return np.array([base64.b64decode(item["b64"]) for item in value], object)
    return np.array(value, np.float32)


def ask_rest(server, signature, inputs):
    body = {"signature_name": signature, "inputs": {key: to_json(value) for key, value in inputs.items()}}
    outputs = post(server, body)["outputs"]
    names = {"encode_a", "encode_b"} & {signature} and {"content", "style"}
    if names:
        assert set(outputs) == names
        return {key: from_json(value) for key, value in outputs.items()}
    return {"translated_bytes" if signature in DIRECTIONS else "images": from_json(outputs)}


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported / "1"))


@pytest.fixture(scope="module")
def session(exported):
    return Version(exported / "1")


@pytest.fixture(params=["load", "session", "grpc", "rest"])
def ask(request):
    """Runs a signature: (name, {input: array}) -> {output: array}."""
    if request.param == "load":
        signatures = request.getfixturevalue("loaded").signatures

        def run(name, inputs):
            outputs = signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
            return {key: value.numpy() for key, value in outputs.items()}

        return run
    if request.param == "session":
        return request.getfixturevalue("session").run
    server, way = request.getfixturevalue("server"), {"grpc": ask_grpc, "rest": ask_rest}[request.param]
    return lambda name, inputs: way(server, name, inputs)


def test_signatures_are_those_of_the_interface(session, model):
    style, images = [-1, model.style_dim], [-1, -1, -1, 3]
    shapes = {
        name: {key: [dim.size for dim in info.tensor_shape.dim] for key, info in signature.inputs.items()}
        for name, signature in session.signatures.items()
        if name != "__saved_model_init_op"
    }
    assert shapes == {
        "translate_a2b": {"images": images, "style": style},
        "translate_b2a": {"images": images, "style": style},
        "guided_a2b": {"images": images, "style_images": images},
        "guided_b2a": {"images": images, "style_images": images},
        "encode_a": {"images": images},
        "encode_b": {"images": images},
        "serving_default": {"image_bytes": [-1], "style": style},
        "serve_b2a": {"image_bytes": [-1], "style": style},
    }


@pytest.mark.parametrize("name", FLOAT_SIGNATURES)
def test_tensors_are_those_of_the_model_in_memory(ask, model, name):
    for count, height, width in ((1, 16, 24), (3, 20, 16)):
        images, references = (
            rng.uniform(-1, 1, (count, height, width, 3)).astype(np.float32) for _ in range(2)
        )
        style = rng.standard_normal((count, model.style_dim)).astype(np.float32)
        verb, which = name.split("_")
        inputs = {"images": images}
        if verb == "translate":
            inputs["style"] = style
            expected = {"images": model.translate(images, which, style=style)}
        elif verb == "guided":
            inputs["style_images"] = references
            style = model.encode_style(references, which[-1])
            expected = {"images": model.translate(images, which, style=style)}
        else:
            expected = dict(zip(("content", "style"), model.encode(images, which)))
        outputs = ask(name, inputs)
        assert set(outputs) == set(expected)
        for key, value in expected.items():
            np.testing.assert_allclose(outputs[key], value, rtol=1e-5, atol=1e-5, err_msg=key)


def picture(height, width, mode="RGB"):
    coarse = rng.integers(0, 256, (3, 3, 4), dtype=np.uint8)
    return Image.fromarray(coarse, "RGBA").resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encoded(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def pixels_of(data):
    """What training sees of a file: float32 [H,W,3] in [-1, 1], transparency on white."""
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"), np.float32) / 127.5 - 1


@pytest.mark.parametrize("name", DIRECTIONS)
def test_files_of_unequal_sizes_are_translated_in_one_batch(ask, model, name):
    """Each to a PNG of its own size, which is the rounded translation of its padded pixels."""
    files = [
        encoded(picture(5, 7)),
        encoded(picture(33, 18), "JPEG", quality=95),
        encoded(picture(16, 20, "L")),
        encoded(picture(1, 1)),
        encoded(picture(41, 64, "L"), "JPEG", progressive=True),
    ]
    style = rng.standard_normal((5, model.style_dim)).astype(np.float32)
    outputs = ask(name, {"image_bytes": np.array(files, object), "style": style})["translated_bytes"]
    assert len(outputs) == len(files)
    for file, code, output in zip(files, style, outputs):
        images = pixels_of(file)[np.newaxis]
        padded = pad_to_fit(images, model.config.size_multiple, model.config.smallest_input)
        expected = model.translate(padded, DIRECTIONS[name], style=[code]).numpy()
        result = Image.open(io.BytesIO(output))
        assert result.format == "PNG" and result.mode == "RGB"
        result = np.asarray(result, np.float32) / 127.5 - 1
        assert result.shape == images.shape[1:]
        difference = np.abs(result - expected[0, : images.shape[1], : images.shape[2]]).max()
        assert difference <= 0.5 / 127.5 + 1e-5


def test_transparency_becomes_white(session, model):
    style = np.zeros([2, model.style_dim], np.float32)
    files = [
        encoded(Image.new("RGBA", (16, 16), (10, 200, 90, 0))),
        encoded(Image.new("RGB", (16, 16), "white")),
    ]
    clear, white = session.run("serving_default", {"image_bytes": np.array(files, object), "style": style})[
        "translated_bytes"
    ]
    assert clear == white


def test_exif_is_not_heeded(session, model):
    """The interface leaves it to clients, who know what they send."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = picture(16, 24)
    files = [encoded(image, "JPEG"), encoded(image, "JPEG", exif=exif)]
    style = np.zeros([2, model.style_dim], np.float32)
    upright, turned = session.run(
        "serving_default", {"image_bytes": np.array(files, object), "style": style}
    )["translated_bytes"]
    assert upright == turned


def test_every_warm_up_request_runs(exported, session):
    path = exported / "1" / "assets.extra" / "tf_serving_warmup_requests"
    names = []
    for record in tf.data.TFRecordDataset(str(path)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        outputs = session.run(request.model_spec.signature_name, inputs)
        assert all(len(value) == 1 for value in outputs.values())
        names.append(request.model_spec.signature_name)
    assert sorted(names) == sorted([*FLOAT_SIGNATURES, *DIRECTIONS])


def test_rest_rows(server, model):
    """`instances`, a list of objects, is answered by `predictions`."""
    style = rng.standard_normal((2, model.style_dim)).astype(np.float32)
    images = rng.uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)
    rows = [{"images": x.tolist(), "style": s.tolist()} for x, s in zip(images, style)]
    predictions = post(server, {"signature_name": "translate_a2b", "instances": rows})["predictions"]
    np.testing.assert_allclose(predictions, model.translate(images, "a2b", style=style), atol=1e-5)
    file = encoded(picture(9, 4))
    row = {"image_bytes": {"b64": base64.b64encode(file).decode()}, "style": style[0].tolist()}
    prediction = post(server, {"instances": [row, row]})["predictions"][1]
    assert Image.open(io.BytesIO(base64.b64decode(prediction["b64"]))).size == (4, 9)


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
