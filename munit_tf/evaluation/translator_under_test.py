"""A model and its test images, as functions, in one direction."""

import numpy as np
import tensorflow as tf

from munit_tf.data import pipeline
from munit_tf.metrics import lpips
from munit_tf.models.memory import check_translation
from munit_tf.models.translator import DIRECTIONS


class TranslatorUnderTest:
    """What is measured: translations of test images, and the images themselves.

    Args:
        model: a Translator.
        dataset: data.registry.Dataset with test images.
        data_options: DataConfig, for the images' size.
        direction: "a2b" or "b2a".

    Attributes:
        model: the Translator.
        source: the domain that is translated.
        target: the domain that it is translated to.
        inputs: the source of the source domain's test images.
        targets: that of the target domain's.
        encodes_style: whether the method can tell an image's style.
    """

    def __init__(self, model, dataset, data_options, direction):
        self.model = model
        self.direction = direction
        self.source, self.target = DIRECTIONS[direction]
        self.inputs, self.targets = dataset.test[self.source], dataset.test[self.target]
        self.encodes_style = model.has_style_encoder
        self._data_options = data_options
        self._translate, self._encode_style = _traced(model, data_options.image_size)

    def unavailable_reason(self, metric):
        """Why the method, the data or the direction does not have a metric, in one line, or None."""
        model = self.model
        if metric == "lpips":
            return lpips.size_problem(*self._data_options.image_size)
        if metric in ("l1", "cis", "style") and not model.style_dim:
            return "the method has no style"
        if metric == "style" and not self.encodes_style:
            return "the method cannot encode a style"
        if metric == "reconstruction" and not model.has_content_code:
            return "the method has no decoder that reconstructs its input"
        if metric == "cycle" and len(model.directions) < 2:
            return "the method has one direction only"
        if metric == "shapes" and not (hasattr(self.inputs, "inside") and self.direction == "a2b"):
            return "the answers are known for a2b of --dataset=shapes only"
        return None

    def check_memory(self, batch_size: int) -> None:
        """Raises InputError where so many images cannot be translated at once."""
        what = f"--batch_size={batch_size}"
        check_translation(self.model.config, batch_size, *self._data_options.image_size, what)

    def translate(self, images, styles=None):
        """Images [N,H,W,3] of the source as images of the target, an array; styles [N,style_dim] or None."""
        return self._run(self.direction, images, styles)

    def encode_style(self, images, domain):
        """The style codes [N,style_dim] of images of a domain."""
        return self._encode_style[domain](images).numpy()

    def reconstruct(self, images):
        """The source's images through its own encoders and decoder."""
        return self.model.decode(*self.model.encode(images, self.source), self.source).numpy()

    def cycle(self, images, styles=None):
        """The source's images to the target, with these styles, and back, with their own or the prior's."""
        back = next(name for name in self.model.directions if DIRECTIONS[name].target == self.source)
        if self.encodes_style:
            own = self.encode_style(images, self.source)
        else:
            own = self.model.prior_style(len(images)) if self.model.style_dim else None
        return self._run(back, self.translate(images, styles), own)

    def styles(self, num_outputs, num_inputs, seed):
        """Codes of the prior [num_outputs, num_inputs, style_dim], or None where the method has no style.

        Those of output k are the same for any number of outputs.
        """
        if not self.model.style_dim:
            return None
        # A stream of its own for each output, far from other seeds'.
        seeds = (seed * 1_000_003 + k for k in range(num_outputs))
        return np.stack([self.model.prior_style(num_inputs, each).numpy() for each in seeds])

    def loader(self, images):
        """Function of a list of indices into a source of images -> images [N,H,W,3] in [-1, 1]."""
        options = self._data_options
        return lambda indices: pipeline.load_images(
            images, indices, resize=options.resize, image_size=options.image_size
        )

    def insides(self, indices):
        """What translations of inputs of `shapes` should fill, cropped as they are: bool [N,H,W]."""
        height, width = self._data_options.image_size
        whole = np.stack([self.inputs.inside(i) for i in indices])
        top, left = (whole.shape[1] - height) // 2, (whole.shape[2] - width) // 2
        return whole[:, top : top + height, left : left + width]

    def _run(self, direction, images, styles):
        return self._translate[direction](images, *([] if styles is None else [styles])).numpy()


def _traced(model, image_size):
    """({direction: translate(images[, style])}, {domain: encode_style(images)}), each to be traced once."""
    images = tf.TensorSpec([None, *image_size, 3], tf.float32)
    style = [tf.TensorSpec([None, model.style_dim], model.result_dtype)] if model.style_dim else []

    # There is no control flow to convert, and tracing takes half as long.
    def traced(function, *specs):
        return tf.function(function, input_signature=specs, autograph=False)

    translate = {
        name: traced(lambda x, *style, name=name: model.translate(x, name, *style), images, *style)
        for name in model.directions
    }
    encode = {
        domain: traced(lambda x, domain=domain: model.encode_style(x, domain), images)
        for domain in ("ab" if style else "")
    }
    return translate, encode
