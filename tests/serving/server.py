"""Stands in for TF Serving: `python server.py FOLDER MODEL_NAME [--max_message_bytes=N] [--delay=SECONDS]`.

It loads each version in FOLDER as the server does, into a Session by tags, and runs signatures by the names
of their tensors; it answers the official gRPC stubs and the REST predict and metadata interfaces on loopback
ports that it prints as one line of JSON.
"""

import argparse
import base64
import concurrent.futures
import http.server
import json
import re

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from session import Models, Refused
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


class Grpc(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, models):
        self._models = models

    def Predict(self, request, context):
        return self._answer(context, self._predict, request)

    def GetModelMetadata(self, request, context):
        return self._answer(context, self._metadata, request)

    def _answer(self, context, function, request):
        try:
            return function(request)
        except Refused as error:
            code, text = error.args
            return context.abort(grpc.StatusCode[code], text)

    def _version(self, spec):
        return self._models.version(spec.name, spec.version.value if spec.HasField("version") else None)

    def _predict(self, request):
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        version = self._version(request.model_spec)
        outputs = self._models.predict(version, request.model_spec.signature_name, inputs)
        response = predict_pb2.PredictResponse()
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response

    def _metadata(self, request):
        if list(request.metadata_field) != ["signature_def"]:
            raise Refused("INVALID_ARGUMENT", "Metadata field is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(signature_map(self._version(request.model_spec)))
        return response


class Rest(http.server.BaseHTTPRequestHandler):
    models = None

    def do_GET(self):
        self._answer("/metadata", self._metadata)

    def do_POST(self):
        self._answer(":predict", self._predict)

    def _answer(self, verb, function):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            match = re.fullmatch(r"/v1/models/([^/:]+)(?:/versions/(\d+))?" + re.escape(verb), self.path)
            if not match:
                raise Refused("INVALID_ARGUMENT", f"Malformed request: {self.command} {self.path}")
            version = self.models.version(match[1], match[2] and int(match[2]))
            status, reply = 200, function(version, match[1], body)
        except Refused as error:
            status, reply = HTTP_STATUS.get(error.args[0], 500), {"error": error.args[1]}
        text = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _metadata(self, version, name, body):
        return {
            "model_spec": {"name": name, "signature_name": "", "version": str(version.number)},
            "metadata": {"signature_def": json_format.MessageToDict(signature_map(version), **AS_SERVED)},
        }

    def _predict(self, version, name, body):
        try:
            request = json.loads(body)
        except ValueError as error:
            raise Refused("INVALID_ARGUMENT", f"JSON Parse error: {error}") from error
        signature_name = request.get("signature_name", "serving_default")
        if signature_name not in version.signatures:
            raise Refused(
                "INVALID_ARGUMENT", f'Serving signature name: "{signature_name}" not found in signature def'
            )
        infos = version.signatures[signature_name].inputs
        if ("instances" in request) == ("inputs" in request):
            raise Refused("INVALID_ARGUMENT", "Missing 'inputs' or 'instances' key")
        by_row = "instances" in request
        columns = columns_of(request["instances"], infos) if by_row else request["inputs"]
        if not isinstance(columns, dict) or set(columns) == {"b64"}:
            columns = {next(iter(infos)): columns}
        missing = sorted(set(infos) - set(columns))
        if missing:
            raise Refused("INVALID_ARGUMENT", f"Missing named input: {missing[0]} in 'inputs' object.")
        inputs = {key: to_array(columns[key], info.dtype) for key, info in infos.items()}
        outputs = self.models.predict(version, signature_name, inputs)
        columns = {key: to_json(value) for key, value in outputs.items()}
        if not by_row:
            return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
        rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
        return {"predictions": rows if len(columns) > 1 else [next(iter(row.values())) for row in rows]}

    def log_message(self, *args):
        pass


# The server prints every field; protobuf 5 has another name for that.
AS_SERVED = {"preserving_proto_field_name": True}
AS_SERVED[
    "always_print_fields_with_no_presence"
    if "always_print_fields_with_no_presence" in json_format.MessageToDict.__code__.co_varnames
    else "including_default_value_fields"
] = True


def signature_map(version):
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in version.signatures.items():
        signatures.signature_def[name].CopyFrom(signature)
    return signatures


def columns_of(rows, infos):
    """Of a list of {input: value}, or of a list of values where there is one input."""
    if not rows:
        raise Refused("INVALID_ARGUMENT", "No values in 'instances' array")
    if not isinstance(rows[0], dict) or set(rows[0]) == {"b64"}:
        return {next(iter(infos)): rows}
    for number, row in enumerate(rows):
        if set(row) != set(infos):
            keys = ",".join(sorted(infos))
            raise Refused("INVALID_ARGUMENT", f"Element {number} must only have keys: {keys}")
    return {key: [row[key] for row in rows] for key in infos}


def to_array(value, dtype):
    def plain(value):
        if isinstance(value, list):
            return [plain(item) for item in value]
        return base64.b64decode(value["b64"]) if isinstance(value, dict) else value

    try:
        if dtype == tf.string.as_datatype_enum:
            return np.array(plain(value), object)
        return np.array(value, tf.as_dtype(dtype).as_numpy_dtype)
    except (ValueError, TypeError, KeyError) as error:
        raise Refused("INVALID_ARGUMENT", f"JSON Value has unexpected type or shape: {error}") from error


def to_json(value):
    if value.dtype == object:
        return [{"b64": base64.b64encode(item).decode()} for item in value]
    return value.tolist()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("name")
    parser.add_argument("--max_message_bytes", type=int, default=-1)
    parser.add_argument("--delay", type=float, default=0.0)
    arguments = parser.parse_args()

    models = Models(arguments.folder, arguments.name, arguments.delay)
    limits = {"receive": arguments.max_message_bytes, "send": -1}
    options = [(f"grpc.max_{way}_message_length", limit) for way, limit in limits.items()]
    grpc_server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Grpc(models), grpc_server)
    grpc_port = grpc_server.add_insecure_port("127.0.0.1:0")
    grpc_server.start()
    Rest.models = models
    rest_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    addresses = {"grpc": f"127.0.0.1:{grpc_port}", "rest": f"http://127.0.0.1:{rest_server.server_port}"}
    print(json.dumps(addresses), flush=True)
    rest_server.serve_forever()


if __name__ == "__main__":
    main()
