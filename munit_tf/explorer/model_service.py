"""What all visitors share: the model, the data set's images, and nothing of anybody's."""

import re
import threading

import numpy as np
import tensorflow as tf

from munit_tf.data import pipeline, registry
from munit_tf.errors import InputError
from munit_tf.explorer import photos
from munit_tf.inference.padded_inference import PaddedInference
from munit_tf.models.translator import DIRECTIONS
from munit_tf.runs import loading, run_folder

# Pictures that are computed at once have about this many pixels together.
_PIXELS_AT_ONCE = 4 * 256 * 256
# What is wrong, without what to do in training.
_CLAUSE = re.compile(r".+?(?=[:;] |$)")


class Studio:
    """A trained model, ready for visitors.

    Args:
        run: the run folder.
        max_pixels: the most pixels that a picture may have when the networks get it.

    Attributes:
        directions: names of the directions it translates in.
        style_dim: length of a style code; 0: it has none.
        guided: whether it can tell a picture's style.
        separable: whether it has a content code.
        subject: what it was trained on, in a word.
        method: the method's name.
        step: training steps taken.
        lack: why there are no images of the data set, in a sentence, or None.

    Raises:
        InputError: it is not a run folder, or has no checkpoint.
    """

    def __init__(self, run, max_pixels):
        options = run_folder.RunFolder(run).options()
        self.model = loading.load(run)
        self.directions = self.model.directions
        self.style_dim = self.model.style_dim
        self.guided = self.model.has_style_encoder and bool(self.style_dim)
        self.separable = self.model.has_content_code
        self.subject = _subject(options)
        self.method = type(self.model).__name__
        self.step = int(self.model.step)
        self._dataset = options.data.dataset
        self._resize = options.data.resize
        self._max_pixels = max_pixels
        self._images, self.lack = open_images(options.data)
        self._networks = {name: PaddedInference(self.model, name) for name in self.directions}
        self._computing = threading.Lock()

    def __deepcopy__(self, memo):
        """Itself: a visitor's state, which Gradio copies, refers to it."""
        return self

    def domain_name(self, domain):
        """What domain "a" or "b" shows, in a word or two."""
        entry = registry.ENTRIES.get(self._dataset)
        return getattr(entry, domain) if entry else f"domain {domain.upper()}"

    def count(self, domain):
        """How many images the data set has of a domain."""
        return len(self._images[domain]) if self._images else 0

    def picture(self, domain, index):
        """Image `index` of the data set's domain as a Picture."""
        image = self._images[domain][index]
        return photos.fit(f"{domain}{index}", image, self._resize, self._max_pixels)

    def read(self, path):
        """An uploaded file as a Picture; raises InputError as `photos.read`."""
        return photos.read(path, self._resize, self._max_pixels)

    def random_codes(self, count, seed):
        """Style codes [count, style_dim] from the prior, those of `translate --seed`."""
        return self.model.prior_style(count, seed).numpy().astype(np.float32)

    def style_of(self, picture, direction):
        """The style code [style_dim] of a Picture of the target domain."""
        image = pipeline.to_array(picture.image)[np.newaxis]
        with self._computing:
            return self._networks[direction].encode_style(image)[0]

    def encode(self, picture, direction):
        """What of a Picture does not depend on the style, inference.padded_inference.Encoded."""
        with self._computing:
            return self._networks[direction].encode(pipeline.to_array(picture.image)[np.newaxis])

    def content_size(self, encoded):
        """(height, width, channels) of its content code."""
        return tuple(encoded.code.shape[1:])

    def translations(self, encoded, direction, codes):
        """Yields the translation [H,W,3] under each of the codes [N,style_dim], or the only one for None.

        Visitors take turns after every few pictures.

        Raises:
            InputError: there is not enough memory, or the result is not finite.
        """
        at_once = max(1, _PIXELS_AT_ONCE // (encoded.height * encoded.width))
        groups = [None] if codes is None else np.split(codes, range(at_once, len(codes), at_once))
        for group in groups:
            with self._computing:
                images = self._decode(encoded, direction, group)
            yield from images

    def _decode(self, encoded, direction, codes):
        try:
            rows = [0] * (1 if codes is None else len(codes))
            images = self._networks[direction].decode(encoded, rows, codes)
        except tf.errors.ResourceExhaustedError as error:
            raise InputError(
                f"There is not enough memory for a picture of {encoded.width} x {encoded.height} pixels: "
                "start the page with a smaller --max_pixels."
            ) from error
        if not np.isfinite(images).all():
            raise InputError("The model's result is not finite: its training failed.")
        return images


def _subject(options):
    """`summer2winter` of a data set, the folder's name of a folder."""
    dataset = options.data.dataset
    return dataset.rstrip("/").rpartition("/")[2] if dataset else "own images"


def open_images(config):
    """Images to look at of the data set that a DataConfig names; nothing is downloaded.

    Returns:
        ({domain: source} of test images, else of training images; None), or (None, why there are none).
    """
    if not (config.dataset or config.train_a):
        return None, "The run does not say which images it was trained on."
    if not registry.is_here(config):
        return None, f"The images of {config.dataset} are not on this machine."
    try:
        dataset = registry.open_dataset(config)
    except InputError as error:
        return None, f"The images of the data set are not to be had: {_CLAUSE.match(str(error))[0]}."
    return dataset.test or dataset.train, None


def source_domain(direction):
    """The domain that is translated."""
    return DIRECTIONS[direction].source


def target_domain(direction):
    """The domain that it is translated to."""
    return DIRECTIONS[direction].target
