"""Requests to a server, and encoded images for them."""

import base64
import io
import json
import urllib.error
import urllib.request

import grpc
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

# The signatures of encoded images, with their directions.
DIRECTIONS = {"serving_default": "a2b", "serve_b2a": "b2a"}
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
