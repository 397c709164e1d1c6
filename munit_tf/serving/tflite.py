"""TFLite files, for phones and other small devices."""

import tempfile

import tensorflow as tf

from munit_tf.networks import graph_target
from munit_tf.serving.saved_model import tensor_specs


def convert(model, name, quantize):
    """One of a model's signatures as a TFLite file of built-in operators, for any number and size of images.

    Args:
        model: a Translator of float32.
        name: of the signature, such as "translate_a2b".
        quantize: "none"; "float16": weights in half the space; "dynamic": weights in 8 bits.

    Returns:
        bytes, the file.
    """
    function, shapes = model.signatures()[name]
    specs = tensor_specs(shapes)
    module = tf.Module()
    with graph_target.portable():
        module.concrete = tf.function(lambda **inputs: function(**inputs)).get_concrete_function(**specs)
    module.weights = list(module.concrete.graph.variables)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={name: module.concrete})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
