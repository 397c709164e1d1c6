"""Any size of image through networks that take multiples of something."""

import numpy as np
import pytest
from conformance.methods import tiny
from inference.run_folders import expected

from munit_tf.inference.padded_inference import PaddedInference


@pytest.fixture(scope="module")
def model():
    return tiny("munit")


def test_one_trace_for_all_sizes_and_no_encoding_for_another_style(model, monkeypatch):
    calls = []
    for name in ("encode_content", "decode"):
        method = getattr(model, name)
        monkeypatch.setattr(
            model, name, lambda *a, name=name, method=method: calls.append(name) or method(*a)
        )
    networks = PaddedInference(model, "a2b")
    for height, width, count in ((16, 16, 1), (33, 20, 2), (1, 70, 3)):
        encoded = networks.encode(np.zeros((count, height, width, 3), np.float32))
        results = networks.decode(encoded, [0, count - 1], np.zeros((2, 3), np.float32))
        assert results.shape == (2, height, width, 3)
    assert calls == ["encode_content", "decode"]
    monkeypatch.setattr(networks, "_encode", None)
    networks.decode(encoded, [0], np.ones((1, 3), np.float32))


@pytest.mark.parametrize("size", [(16, 20), (19, 30), (5, 1)])
def test_as_the_model_itself_with_a_border_by_numpy(model, size):
    pixels = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    codes = np.float32([[0, 1, 2], [2, -1, 0], [1, 1, 1]])
    networks = PaddedInference(model, "b2a")
    results = networks.decode(networks.encode(pixels.astype(np.float32) / 127.5 - 1), [1, 0, 1], codes)
    for i, image, code in zip(range(3), pixels[[1, 0, 1]], codes):
        wanted = expected(model, "b2a", image, code[np.newaxis])
        np.testing.assert_allclose(results[i : i + 1], wanted, rtol=0, atol=2e-5)


def test_styles_are_of_the_target_domain(model):
    image = np.random.default_rng(0).uniform(-1, 1, (1, 24, 20, 3)).astype("float32")
    for direction, target, other in (("a2b", "b", "a"), ("b2a", "a", "b")):
        code = PaddedInference(model, direction).encode_style(image)
        np.testing.assert_allclose(code, model.encode_style(image, target), atol=1e-6)
        assert np.abs(code - model.encode_style(image, other)).max() > 1e-4
