"""One image under many styles, encoded once."""

import numpy as np
from conformance.methods import tiny

from munit_tf.translation.any_size import AnySize
from munit_tf.translation.repeated import Repeated


def test_as_any_size():
    model = tiny("munit")
    repeated, any_size = Repeated(model, "a2b"), AnySize(model, "a2b")
    rng = np.random.default_rng(0)
    for height, width, count in ((33, 20, 3), (16, 16, 1), (5, 40, 2)):
        image = rng.uniform(-1, 1, (height, width, 3)).astype("float32")
        codes = rng.standard_normal((count, model.style_dim)).astype("float32")
        results = repeated.decode(repeated.encode(image), codes)
        assert results.shape == (count, height, width, 3)
        wanted = any_size.translate(np.repeat(image[np.newaxis], count, axis=0), codes)
        np.testing.assert_allclose(results, wanted, atol=2e-5)


def test_a_new_style_neither_encodes_nor_traces(monkeypatch):
    model, calls = tiny("munit"), []
    for name in ("encode_content", "decode"):
        method = getattr(model, name)
        monkeypatch.setattr(
            model, name, lambda *a, name=name, method=method: calls.append(name) or method(*a)
        )
    repeated = Repeated(model, "b2a")
    encoded = repeated.encode(np.zeros((20, 24, 3), np.float32))
    other = repeated.encode(np.zeros((32, 16, 3), np.float32))
    for each, count in ((encoded, 1), (encoded, 4), (other, 2)):
        repeated.decode(each, np.zeros((count, 3), np.float32))
    assert calls == ["encode_content", "decode"]
    monkeypatch.setattr(repeated, "_encode", None)
    repeated.decode(encoded, np.ones((1, 3), np.float32))
