"""SavedModels for TF Serving."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from munit_tf.models.translator import Translator
from munit_tf.networks import graph_target
from munit_tf.networks.input_padding import pad_to_fit
from munit_tf.serving import image_codec

BYTES_SIGNATURES = {"a2b": "serving_default", "b2a": "serve_b2a"}


class Servable(tf.Module):
    """A model's signatures and their variables.

    This is not the Keras model, because Keras 3 traces `call` of a model that it saves.

    Args:
        model: a float32 model.
        max_pixels: the most pixels of an image that a signature accepts.

    Attributes:
        functions: {name: concrete function}: the model's signatures, and for each direction one from
            encoded images to encoded images ("serving_default" for a2b, "serve_b2a").
        weights: the variables.
    """

    def __init__(self, model: Translator, max_pixels: int):
        super().__init__()
        functions = {
            name: (_guarded(function, model, max_pixels), tensor_specs(shapes))
            for name, (function, shapes) in model.signatures().items()
        }
        for direction in model.directions:
            specs = {"image_bytes": tf.TensorSpec([None], tf.string, name="image_bytes")}
            if model.style_dim:
                specs["style"] = tf.TensorSpec([None, model.style_dim], tf.float32, name="style")
            functions[BYTES_SIGNATURES[direction]] = _from_files(model, direction, max_pixels), specs
        with graph_target.portable():
            self.functions = {
                name: tf.function(function, autograph=False).get_concrete_function(**specs)
                for name, (function, specs) in functions.items()
            }
        self.weights = list(
            {id(v): v for concrete in self.functions.values() for v in concrete.graph.variables}.values()
        )


def write(servable: Servable, path: str | pathlib.Path, image_size: tuple[int, int]) -> None:
    """Writes a SavedModel with a warm-up request for each signature.

    Args:
        servable: the signatures.
        path: the folder to create.
        image_size: (height, width) of the images in the requests, in pixels.
    """
    tf.saved_model.save(servable, str(path), signatures=servable.functions)
    extra = pathlib.Path(path) / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as file:
        for name, concrete in servable.functions.items():
            file.write(_warm_up_request(name, concrete, image_size).SerializeToString())


def tensor_specs(shapes: Mapping[str, Sequence[int | None]]) -> dict[str, tf.TensorSpec]:
    """{input: shape}, as in `Translator.signatures` -> {input: tf.TensorSpec}."""
    return {name: tf.TensorSpec(shape, tf.float32, name=name) for name, shape in shapes.items()}


def _guarded(function, model, max_pixels):
    """Adds checks of the size of images to `function`."""
    multiple, least = model.config.size_multiple, model.config.smallest_input

    def checked(**inputs):
        checks = []
        for name, tensor in inputs.items():
            if name != "style":
                height, width = tf.shape(tensor)[1], tf.shape(tensor)[2]
                right = (
                    (height % multiple == 0) & (width % multiple == 0) & (tf.minimum(height, width) >= least)
                )
                right &= tf.cast(height, tf.int64) * tf.cast(width, tf.int64) <= max_pixels
                rule = f"{name}: height and width must be multiples of {multiple}, at least {least}, and "
                rule += f"multiply to at most {max_pixels}, not"
                checks.append(tf.debugging.Assert(right, [rule, tf.shape(tensor)[1:3]]))
        return function(**_after([*checks, _same_number(inputs)], inputs))

    return checked


def _from_files(model, direction, max_pixels):
    """A function: encoded images, and styles if the method has any -> encoded translations."""
    multiple, least = model.config.size_multiple, model.config.smallest_input

    def translate_one(inputs):
        image = image_codec.decode(inputs["image_bytes"], max_pixels)
        height, width = tf.shape(image)[0], tf.shape(image)[1]
        style = inputs["style"][tf.newaxis] if "style" in inputs else None
        padded = pad_to_fit(image[tf.newaxis], multiple, least)
        translated = model.translate(padded, direction, style=style)
        return image_codec.encode(translated[0, :height, :width])

    def translate(**inputs):
        inputs = _after([_same_number(inputs)], inputs)
        # One at a time: sizes differ, and the memory for one image is bounded.
        translated = tf.map_fn(translate_one, inputs, fn_output_signature=tf.string, parallel_iterations=1)
        return {"translated_bytes": translated}

    return translate


def _same_number(inputs):
    counts = tf.stack([tf.shape(tensor)[0] for tensor in inputs.values()])
    rule = f"{' and '.join(inputs)}: must be equally many, not"
    return tf.debugging.Assert(tf.reduce_all(counts == counts[0]), [rule, counts])


def _after(checks, inputs):
    """`inputs` with a control dependency on the checks."""
    with tf.control_dependencies(checks):
        return {name: tf.identity(tensor) for name, tensor in inputs.items()}


def _warm_up_request(name, concrete, image_size):
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = name
    for key, spec in concrete.structured_input_signature[1].items():
        if spec.dtype == tf.string:
            file = io.BytesIO()
            Image.new("RGB", image_size[::-1], "gray").save(file, "PNG")
            value = tf.make_tensor_proto([file.getvalue()])
        elif spec.shape.rank == 4:
            value = tf.make_tensor_proto(0.0, tf.float32, [1, *image_size, 3])
        else:
            value = tf.make_tensor_proto(np.zeros([1, spec.shape[1]], np.float32))
        request.inputs[key].CopyFrom(value)
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
