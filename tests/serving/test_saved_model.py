"""A SavedModel against the model in memory, in every way that it can be asked."""

import base64
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from serving.requests_to_server import DIRECTIONS, ask_grpc, ask_rest, encoded, picture, pixels_of, post, rng
from tensorflow_serving.apis import prediction_log_pb2

from munit_tf.networks.input_padding import pad_to_fit

FLOAT_SIGNATURES = ["translate_a2b", "translate_b2a", "guided_a2b", "guided_b2a", "encode_a", "encode_b"]


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported / "1"))


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
