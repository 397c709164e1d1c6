"""TFLite files for phones and other small devices."""

from __future__ import annotations

import tempfile

import tensorflow as tf

from munit_tf.models.translator import Translator
from munit_tf.networks import graph_target
from munit_tf.serving.saved_model import tensor_specs


def convert(model: Translator, name: str, quantize: str) -> bytes:
    """Converts a signature of a model to a TFLite file, for any number and size of images.

    The file uses built-in operators only.

    Args:
        model: a float32 model.
        name: of the signature, e.g. "translate_a2b".
        quantize: "none"; "float16": 16-bit weights; "dynamic": 8-bit weights.

    Returns:
        The contents of the file.
    """
    function, shapes = model.signatures()[name]
    specs = tensor_specs(shapes)
    module = tf.Module()
    with graph_target.portable():
        traced = tf.function(lambda **inputs: function(**inputs), autograph=False)
        module.concrete = traced.get_concrete_function(**specs)
    module.weights = list(module.concrete.graph.variables)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={name: module.concrete})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
