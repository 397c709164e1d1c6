"""SavedModels as TF Serving runs them: in a Session, by tags and names of tensors."""

import pathlib
import threading
import time

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2


class Refused(Exception):
    """A request's end: the name of a status code, and a text."""


class Version:
    """One version of a model, in a Session."""

    def __init__(self, path):
        self.number = int(path.name)
        with tf.Graph().as_default() as graph:
            self._session = tf.compat.v1.Session(graph=graph)
            meta_graph = tf.compat.v1.saved_model.load(self._session, ["serve"], str(path))
        self.signatures = meta_graph.signature_def
        self._callables = {}

    def run(self, name, inputs):
        """{output: numpy array} of a signature; inputs are numpy arrays."""
        if name not in self.signatures:
            raise Refused("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
        signature = self.signatures[name]
        if set(inputs) != set(signature.inputs):
            sent, wanted = ",".join(sorted(inputs)), ",".join(sorted(signature.inputs))
            raise Refused(
                "INVALID_ARGUMENT",
                f"input size does not match signature: len({{{sent}}}) != len({{{wanted}}})",
            )
        keys, names = sorted(signature.inputs), sorted(signature.outputs)
        if name not in self._callables:
            options = config_pb2.CallableOptions(
                feed=[signature.inputs[key].name for key in keys],
                fetch=[signature.outputs[key].name for key in names],
            )
            # Session.run would check shapes first, in Python; the server does not.
            self._callables[name] = self._session._make_callable_from_options(options)
        try:
            return dict(zip(names, self._callables[name](*[inputs[key] for key in keys])))
        except tf.errors.OpError as error:
            raise Refused(tf_code_name(error), error.message) from error


class Models:
    """All versions of one model."""

    def __init__(self, folder, name, delay):
        self._name = name
        self._delay = delay
        self._lock = threading.Lock()
        self._paths = {int(path.name): path for path in pathlib.Path(folder).iterdir() if path.name.isdigit()}
        self._loaded = {}

    def version(self, name, number=None):
        wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
        number = max(self._paths) if number is None else number
        if name != self._name or number not in self._paths:
            raise Refused("NOT_FOUND", f"Servable not found for request: {wanted}")
        with self._lock:
            if number not in self._loaded:
                self._loaded[number] = Version(self._paths[number])
        return self._loaded[number]

    def predict(self, version, signature_name, inputs):
        time.sleep(self._delay)
        with self._lock:
            return version.run(signature_name or "serving_default", inputs)


def tf_code_name(error):
    return next(code.name for code in grpc.StatusCode if code.value[0] == error.error_code)
