"""Clients of TF Serving, which translates an encoded image to an encoded image."""

from __future__ import annotations

import abc
import base64
import http.client
import json
import re
import socket
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Callable

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from munit_tf.errors import InputError

# Images can be larger than gRPC's limit of 4 MiB; the server has its own limit.
_UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
# The HTTP status codes of TF Serving, and 413, which proxies send.
_CODES = {
    404: "NOT_FOUND",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Client(abc.ABC):
    """A model on a server.

    Args:
        address: of the server.
        model: name of the model on the server.
        version: of the model; None: the newest.
        timeout: the longest wait for a response, in seconds.

    Attributes:
        model: name of the model on the server.

    Raises:
        InputError: by every method: no response, no such model, or a request that the server refuses.
    """

    def __init__(self, address: str, model: str, version: int | None = None, timeout: float = 120.0):
        self.model = model
        self._address = address
        self._version = version
        self._timeout = timeout

    def inputs(self, signature: str) -> dict[str, list[int]]:
        """{name: shape} of a signature's inputs; -1 in a shape means any size."""
        signatures = self._signatures()
        if signature not in signatures:
            raise InputError(
                f"model {self.model} has no signature {signature}: it has {', '.join(sorted(signatures))}"
            )
        return signatures[signature]

    @abc.abstractmethod
    def translate(self, signature: str, image: bytes, style: np.ndarray | None = None) -> bytes:
        """Translates one image.

        Args:
            signature: "serving_default" or "serve_b2a".
            image: contents of a JPEG or PNG file.
            style: [style_dim]; None for a method without style.

        Returns:
            The contents of a PNG file.
        """

    @abc.abstractmethod
    def _signatures(self) -> dict[str, dict[str, list[int]]]:
        """{signature: {input: shape}}."""

    def _error(self, code: str | None, text: str) -> InputError:
        """The error for the name of a gRPC status code and its message."""
        reason = _one_line(text)
        if code == "UNAVAILABLE":
            return InputError(
                f"{self._address} is not available: check that the server is running and not overloaded, and "
                f"that this is the right one of its two ports ({reason})"
            )
        if code == "DEADLINE_EXCEEDED":
            return InputError(
                f"{self._address} did not respond in time: use a --timeout of more than {self._timeout:g} "
                f"seconds, or a smaller image ({reason})"
            )
        if code == "NOT_FOUND":
            version = "" if self._version is None else f" in version {self._version}"
            return InputError(f"{self._address} has no model {self.model}{version} ({reason})")
        if code == "RESOURCE_EXHAUSTED":
            return InputError(
                f"{self._address} lacks resources: the message is too large, or the server is overloaded "
                f"({reason})"
            )
        return InputError(f"{self._address} refuses the request: {reason}")


class GrpcClient(Client):
    """A client that uses gRPC; `address` is HOST:PORT."""

    def __init__(self, address: str, model: str, version: int | None = None, timeout: float = 120.0):
        super().__init__(address, model, version, timeout)
        channel = grpc.insecure_channel(address, options=_UNLIMITED)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def translate(self, signature: str, image: bytes, style: np.ndarray | None = None) -> bytes:
        """See Client.translate."""
        request = predict_pb2.PredictRequest()
        self._choose_model(request)
        request.model_spec.signature_name = signature
        request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([image]))
        if style is not None:
            request.inputs["style"].CopyFrom(tf.make_tensor_proto(np.asarray([style], np.float32)))
        return self._call(self._stub.Predict, request).outputs["translated_bytes"].string_val[0]

    def _signatures(self) -> dict[str, dict[str, list[int]]]:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._choose_model(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        self._call(self._stub.GetModelMetadata, request).metadata["signature_def"].Unpack(signatures)
        return {
            name: {key: [dim.size for dim in info.tensor_shape.dim] for key, info in signature.inputs.items()}
            for name, signature in signatures.signature_def.items()
        }

    def _choose_model(self, request: Any) -> None:
        request.model_spec.name = self.model
        if self._version is not None:
            request.model_spec.version.value = self._version

    def _call(self, method: Callable, request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise self._error(error.code().name, error.details() or str(error)) from error


class RestClient(Client):
    """A client that uses HTTP and JSON; `address` is http://HOST:PORT."""

    def translate(self, signature: str, image: bytes, style: np.ndarray | None = None) -> bytes:
        """See Client.translate."""
        inputs: dict[str, Any] = {"image_bytes": [{"b64": base64.b64encode(image).decode()}]}
        if style is not None:
            inputs["style"] = [[float(x) for x in style]]
        body = {"signature_name": signature, "inputs": inputs}
        answer = self._call(":predict", lambda reply: reply["outputs"][0]["b64"], body)
        return base64.b64decode(answer)

    def _signatures(self) -> dict[str, dict[str, list[int]]]:
        signatures = self._call(
            "/metadata", lambda reply: reply["metadata"]["signature_def"]["signature_def"]
        )
        return {
            name: {
                key: [int(dim["size"]) for dim in info["tensor_shape"].get("dim", [])]
                for key, info in signature["inputs"].items()
            }
            for name, signature in signatures.items()
        }

    def _call(self, verb: str, pick: Callable[[Any], Any], body: dict[str, Any] | None = None) -> Any:
        """Sends a GET request, or a POST request if there is a body; returns `pick` of the reply."""
        version = "" if self._version is None else f"/versions/{self._version}"
        url = f"{self._address}/v1/models/{urllib.parse.quote(self.model, safe='')}{version}{verb}"
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=self._timeout) as reply:
                text = reply.read()
        except urllib.error.HTTPError as error:
            raise self._error(_CODES.get(error.code), f"HTTP {error.code}: {_message(error)}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: invalid address.
            reason = getattr(error, "reason", error)
            timed_out = isinstance(reason, socket.timeout)
            raise self._error("DEADLINE_EXCEEDED" if timed_out else "UNAVAILABLE", str(reason)) from error
        try:
            return pick(json.loads(text))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise InputError(
                f"{url} does not respond like TF Serving: {_one_line(str(text[:200]))}"
            ) from error


def _message(error: urllib.error.HTTPError) -> str:
    """The text of an HTTPError, from TF Serving or from a proxy."""
    try:
        body = error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return error.reason
    try:
        return json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return body


def _one_line(text: str) -> str:
    # TensorFlow adds graph locations to the message of an assertion; users do not need them.
    assertion = re.search(r"assertion failed: (.+)", text)
    return " ".join((assertion[1] if assertion else text).split())[:400]
