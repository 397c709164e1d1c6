"""What stands in for a download of TFDS: small images, and a server that answers."""

import dataclasses
import functools
import io

from PIL import Image

from munit_tf.data import registry


def jpeg(color, size=(16, 16)):
    """A JPEG file of one color."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def send_to(patch, name, url):
    """Lets the registry's entry `name` believe that TFDS downloads from `url`."""
    entry = registry.ENTRIES[name]
    recipe = dataclasses.replace(entry.load.keywords["recipe"], url=url)
    load = functools.partial(entry.load.func, recipe=recipe)
    patch.setitem(registry.ENTRIES, name, dataclasses.replace(entry, load=load))
