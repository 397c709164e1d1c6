"""The methods. A method is one file in this folder and one entry of `METHODS`."""

import dataclasses
from typing import Any

from munit_tf.models import memory
from munit_tf.models.bicyclegan import BicycleGAN
from munit_tf.models.cyclegan import CycleGAN
from munit_tf.models.drit import DRIT
from munit_tf.models.miso import MISO
from munit_tf.models.munit import MUNIT
from munit_tf.models.translator import Translator
from munit_tf.models.unit import UNIT

METHODS: dict[str, type[Translator]] = {
    "munit": MUNIT,
    "miso": MISO,
    "unit": UNIT,
    "cyclegan": CycleGAN,
    "bicyclegan": BicycleGAN,
    "drit": DRIT,
}


def create(method: str, **options: Any) -> Translator:
    """Creates the keras.Model of a method with random weights.

    Args:
        method: a name in `METHODS`.
        **options: fields of the method's config, for example `style_dim=8`.

    Raises:
        ValueError: an unknown method, an option out of range, or networks that do not fit in memory.
        TypeError: an unknown option; the message names it.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; there are {', '.join(METHODS)}")
    model_class = METHODS[method]
    known = [field.name for field in dataclasses.fields(model_class.config_class)]
    for name in options:
        if name not in known:
            raise TypeError(f"{method} has no option {name!r}; it has {', '.join(known)}")
    config = model_class.config_class(**options)
    memory.check_networks(config)
    return model_class(config)
