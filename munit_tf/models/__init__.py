"""The methods. A method is one file of this folder and one line of this table."""

import dataclasses

from munit_tf.models import memory
from munit_tf.models.bicyclegan import BicycleGAN
from munit_tf.models.cyclegan import CycleGAN
from munit_tf.models.drit import DRIT
from munit_tf.models.miso import MISO
from munit_tf.models.munit import MUNIT
from munit_tf.models.unit import UNIT

METHODS = {
    "munit": MUNIT,
    "miso": MISO,
    "unit": UNIT,
    "cyclegan": CycleGAN,
    "bicyclegan": BicycleGAN,
    "drit": DRIT,
}


def create(method, **options):
    """A built keras.Model of a method, with random weights.

    Args:
        method: a name in `METHODS`.
        **options: fields of the method's config, such as `style_dim=8`; the paper's where not given.

    Raises:
        ValueError: an unknown method, an option out of range, or networks that do not fit in memory.
        TypeError: an unknown option, which it names.
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
