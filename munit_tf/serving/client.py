"""Clients of TF Serving: an encoded image and a style code in, an encoded image out."""

import base64
import http.client
import json
import re
import socket
import urllib.error
import urllib.parse
import urllib.request

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from munit_tf.errors import InputError

# Pictures are larger than gRPC's 4 MiB; what the server takes is for the server to say.
_UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
# TF Serving's own table of HTTP status codes, and 413, which proxies send.
_CODES = {
    404: "NOT_FOUND",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Client:
    """A model on a server.

    Args:
        address: the server's.
        model: the model's name there.
        version: int; None: the newest.
        timeout: the longest wait for an answer, in seconds.

    Raises:
        InputError: from every method: no answer, no such model, or a request that the server refuses.
    """

    def __init__(self, address, model, version=None, timeout=120.0):
        self.model = model
        self._address = address
        self._version = version
        self._timeout = timeout

    def inputs(self, signature):
        """{name: shape} of a signature's inputs; a shape is a list with -1 for any size."""
        signatures = self._signatures()
        if signature not in signatures:
            raise InputError(
                f"model {self.model} has no signature {signature}: it has {', '.join(sorted(signatures))}"
            )
        return signatures[signature]

    def translate(self, signature, image, style=None):
        """The translation of one image.

        Args:
            signature: "serving_default" or "serve_b2a".
            image: bytes, a JPEG or PNG file.
            style: float array [style_dim], None for a method without style.

        Returns:
            bytes, a PNG file.
        """
        raise NotImplementedError

    def _signatures(self):
        raise NotImplementedError

    def _error(self, code, text):
        """The InputError for a gRPC status code, by name, and the text that came with it."""
        reason = _one_line(text)
        if code == "UNAVAILABLE":
            return InputError(
                f"{self._address} is not available: is the server running, not overloaded, and is this the "
                f"right one of its two ports? ({reason})"
            )
        if code == "DEADLINE_EXCEEDED":
            return InputError(
                f"{self._address} has not answered in time: give a larger --timeout than {self._timeout:g} "
                f"seconds, or a smaller image ({reason})"
            )
        if code == "NOT_FOUND":
            version = "" if self._version is None else f" in version {self._version}"
            return InputError(f"{self._address} has no model {self.model}{version} ({reason})")
        if code == "RESOURCE_EXHAUSTED":
            return InputError(
                f"{self._address} has no room: the message is too large, or the server overloaded ({reason})"
            )
        return InputError(f"{self._address} refuses the request: {reason}")


class GrpcClient(Client):
    """Speaks gRPC; `address` is HOST:PORT."""

    def __init__(self, address, model, version=None, timeout=120.0):
        super().__init__(address, model, version, timeout)
        channel = grpc.insecure_channel(address, options=_UNLIMITED)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def translate(self, signature, image, style=None):
        """See Client.translate."""
        request = predict_pb2.PredictRequest()
        self._choose_model(request)
        request.model_spec.signature_name = signature
        request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([image]))
        if style is not None:
            request.inputs["style"].CopyFrom(tf.make_tensor_proto(np.asarray([style], np.float32)))
        return self._call(self._stub.Predict, request).outputs["translated_bytes"].string_val[0]

    def _signatures(self):
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._choose_model(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        self._call(self._stub.GetModelMetadata, request).metadata["signature_def"].Unpack(signatures)
        return {
            name: {key: [dim.size for dim in info.tensor_shape.dim] for key, info in signature.inputs.items()}
            for name, signature in signatures.signature_def.items()
        }

    def _choose_model(self, request):
        request.model_spec.name = self.model
        if self._version is not None:
            request.model_spec.version.value = self._version

    def _call(self, method, request):
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise self._error(error.code().name, error.details() or str(error)) from error


class RestClient(Client):
    """Speaks HTTP with JSON; `address` is http://HOST:PORT."""

    def translate(self, signature, image, style=None):
        """See Client.translate."""
        inputs = {"image_bytes": [{"b64": base64.b64encode(image).decode()}]}
        if style is not None:
            inputs["style"] = [[float(x) for x in style]]
        body = {"signature_name": signature, "inputs": inputs}
        answer = self._call(":predict", lambda reply: reply["outputs"][0]["b64"], body)
        return base64.b64decode(answer)

    def _signatures(self):
        found = self._call("/metadata", lambda reply: reply["metadata"]["signature_def"]["signature_def"])
        return {
            name: {
                key: [int(dim["size"]) for dim in info["tensor_shape"].get("dim", [])]
                for key, info in signature["inputs"].items()
            }
            for name, signature in found.items()
        }

    def _call(self, verb, pick, body=None):
        """What `pick` finds in the reply to a GET, or a POST where there is a body."""
        version = "" if self._version is None else f"/versions/{self._version}"
        url = f"{self._address}/v1/models/{urllib.parse.quote(self.model, safe='')}{version}{verb}"
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=self._timeout) as reply:
                text = reply.read()
        except urllib.error.HTTPError as error:
            raise self._error(_CODES.get(error.code), f"HTTP {error.code}: {_message(error)}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: of a bad address.
            reason = getattr(error, "reason", error)
            late = isinstance(reason, socket.timeout)
            raise self._error("DEADLINE_EXCEEDED" if late else "UNAVAILABLE", str(reason)) from error
        try:
            return pick(json.loads(text))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise InputError(
                f"{url} does not answer as TF Serving does: {_one_line(str(text[:200]))}"
            ) from error


def _message(error):
    """The text of an HTTPError: TF Serving's own, or whatever a proxy sends."""
    try:
        body = error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return error.reason
    try:
        return json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return body


def _one_line(text):
    # TensorFlow tells an assertion's text among places in the graph, which say nothing to a user.
    said = re.search(r"assertion failed: (.+)", text)
    return " ".join((said[1] if said else text).split())[:400]
