"""Multimodal unsupervised image-to-image translation: MUNIT, MISO and others in TensorFlow and Keras.

The public names are imported on first use, so that commands can configure TensorFlow before that.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0.dev0"
__all__ = ["METHODS", "InputError", "create", "load"]
_MODULES = {
    "METHODS": "munit_tf.models",
    "InputError": "munit_tf.errors",
    "create": "munit_tf.models",
    "load": "munit_tf.runs.loading",
}


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'munit_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
