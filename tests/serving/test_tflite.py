"""TFLite files in LiteRT, a runtime that is not TensorFlow."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from munit_tf.serving import tflite

QUANTIZE = ("none", "float16", "dynamic")
# On the largest difference and on the mean, of images in [-1, 1].
BOUNDS = {"none": (1e-3, 1e-4), "float16": (0.05, 0.005), "dynamic": (0.5, 0.05)}


@pytest.fixture(scope="module")
def files(model):
    """{quantize: bytes} of translate_a2b."""
    return {quantize: tflite.convert(model, "translate_a2b", quantize) for quantize in QUANTIZE}


@pytest.mark.parametrize("quantize", QUANTIZE)
def test_images_are_those_of_the_model_in_memory(files, model, quantize):
    """At two image sizes and numbers of images, one after another in one interpreter."""
    rng = np.random.default_rng(0)
    translate = Interpreter(model_content=files[quantize]).get_signature_runner("translate_a2b")
    for count, height, width in ((1, 16, 24), (2, 36, 20), (1, 16, 24)):
        images = rng.uniform(-1, 1, (count, height, width, 3)).astype(np.float32)
        style = rng.standard_normal((count, model.style_dim)).astype(np.float32)
        difference = np.abs(
            translate(images=images, style=style)["images"] - model.translate(images, "a2b", style=style)
        )
        assert difference.shape == images.shape
        assert difference.max() <= BOUNDS[quantize][0] and difference.mean() <= BOUNDS[quantize][1]


@pytest.mark.parametrize("quantize", QUANTIZE)
def test_signature_and_operators(files, quantize):
    interpreter = Interpreter(model_content=files[quantize])
    assert interpreter.get_signature_list() == {
        "translate_a2b": {"inputs": ["images", "style"], "outputs": ["images"]}
    }
    operators = {each["op_name"] for each in interpreter._get_ops_details()}
    assert "CONV_2D" in operators
    assert [name for name in operators if name.startswith("Flex") or "CUSTOM" in name.upper()] == []


def test_quantized_files_are_smaller(files):
    sizes = {quantize: len(data) for quantize, data in files.items()}
    assert sizes["float16"] < sizes["none"] and sizes["dynamic"] < sizes["none"]
