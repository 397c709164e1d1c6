"""Multimodal unsupervised image-to-image translation: MUNIT and its kin in TensorFlow and Keras.

`create`, `load` and `METHODS` come from the package's inside when they are first used, so that the
commands can set TensorFlow up before it is imported.
"""

import importlib

__version__ = "0.1.0"
__all__ = ["METHODS", "create", "load"]
_HOMES = {"METHODS": "munit_tf.models", "create": "munit_tf.models", "load": "munit_tf.runs"}


def __dir__():
    return [*globals(), *_HOMES]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'munit_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
