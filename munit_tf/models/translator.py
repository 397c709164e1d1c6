"""The base of every method: what it does to images; and what some methods share."""

from typing import Callable, NamedTuple

import tensorflow as tf

from munit_tf.losses.information import clamp_log_variance
from munit_tf.models import style_codes
from munit_tf.models.adversarial import DIRECTIONS, AdversarialModel


class CollapseCheck(NamedTuple):
    """A warning, given each time that a measure or a loss goes wrong.

    Attributes:
        measure: what it looks at in a row of the log, without the domain, such as "diversity" or "kl".
        is_wrong: takes (value, lowest, highest), the latter two so far in the run, this value included.
        message: of one line, with places for {name}, {value}, {lowest} and {highest}.
    """

    measure: str
    is_wrong: Callable[[float, float, float], bool]
    message: str


def diversity_check(flag):
    """Warns where outputs begin to ignore the style; `flag` is the weight that may help against it."""
    return CollapseCheck(
        "diversity",
        lambda value, lowest, highest: value < highest / 10,
        "outputs hardly differ by style any more: {name} is {value:.4f}, at its best it was {highest:.4f}. "
        f"Look at the sample grids; an earlier checkpoint, or a larger {flag}, may serve better.",
    )


class Translator(AdversarialModel):
    """An image-to-image translator between domains a and b.

    Images are [N,H,W,3] in [-1, 1]; results are float32, or float64 under that Keras policy. A subclass
    defines `translate`, besides what AdversarialModel asks for. A method that can encode a style also has
    `encode_style(images, domain)`; one with a content code that both domains share is a
    `ContentTranslator`.

    Attributes:
        style_dim: length of a style code; 0: the method has no style.
        has_style_encoder: there is `encode_style(images, domain)`.
        has_content_code: there are `encode_content`, `encode` and `decode`; see ContentTranslator.
        collapse_checks: CollapseCheck tuples: when to warn in training.
    """

    style_dim = 0
    has_style_encoder = False
    has_content_code = False
    collapse_checks = ()

    def translate(self, images, direction, style=None, seed=0):
        """Images of one domain as images of the other.

        Args:
            images: [N,H,W,3] in [-1, 1]; H and W multiples of `config.size_multiple`.
            direction: "a2b" or "b2a".
            style: [N, style_dim]; drawn from the prior where None.
            seed: of that draw.

        Returns:
            [N,H,W,3] in [-1, 1].
        """
        raise NotImplementedError

    def measures(self, images, domain):
        """{name: [N]}: numbers to watch while training, besides the losses, of images of a domain."""
        del images, domain
        return {}

    def source_and_target(self, direction):
        """The Direction that a name such as "a2b" stands for; ValueError for one that the method has not."""
        if direction not in self.directions:
            raise ValueError(f"direction {direction!r}: must be one of {', '.join(self.directions)}")
        return DIRECTIONS[direction]

    def signatures(self):
        """What the method does to tensors, for export.

        Returns:
            {name: (function of tensors by keyword, which returns {name: tensor}; {input: shape})}:
            `translate_a2b` (images, style -> images), `guided_a2b` (images, style_images -> images), and the
            same for b2a: what the method has of them. Without a style no `style` and no `guided_*`.
        """
        image_shape, found = [None, None, None, 3], {}
        for name in self.directions:
            target = DIRECTIONS[name].target

            def translate(images, style=None, name=name):
                return {"images": self.translate(images, name, style=style)}

            def guided(images, style_images, name=name, target=target):
                style = self.encode_style(style_images, target)
                return {"images": self.translate(images, name, style=style)}

            shapes = {"images": image_shape}
            if self.has_style_encoder:
                found[f"guided_{name}"] = guided, {**shapes, "style_images": image_shape}
            if self.style_dim:
                shapes["style"] = [None, self.style_dim]
            found[f"translate_{name}"] = translate, shapes
        return found

    def check_images(self, images, domain):
        """Raises ValueError for another domain than "a" or "b", or a height or width that does not fit."""
        if domain not in ("a", "b"):
            raise ValueError(f"domain {domain!r}: must be a or b")
        multiple = self.config.size_multiple
        if any(side is not None and side % multiple for side in images.shape[1:3]):
            raise ValueError(
                f"images {tuple(images.shape)}: height and width must be multiples of {multiple}"
            )

    def resolve_style(self, style, count, seed):
        """`style`, or where it is None `count` codes from the prior; None for a method without a style.

        Raises:
            ValueError: a style for a method that has none.
        """
        if self.style_dim:
            return self.prior_style(count, seed) if style is None else style
        if style is not None:
            raise ValueError(f"{type(self).__name__} has no style: leave `style` out")
        return None

    def prior_style(self, count, seed=0):
        """Style codes [count, style_dim] from the prior N(0, I), the same for the same seed."""
        return style_codes.sample_prior(count, self.style_dim, seed, self.result_dtype)

    def call(self, batch):
        """{direction: translated images} of a batch as `train_step` takes it."""
        return {
            name: self.translate(
                batch[DIRECTIONS[name].source],
                name,
                style=batch.get(f"style_{DIRECTIONS[name].target}"),
            )
            for name in self.directions
        }


class ContentTranslator(Translator):
    """A method that translates by decoding an image's content in the other domain.

    A subclass defines, besides what `Translator` asks for, `encode_content` and `decode`, and where it has
    a style `encode_style`.
    """

    has_content_code = True

    def encode_content(self, images, domain):
        """The content code [N,H/m,W/m,C] of images [N,H,W,3] of a domain; m is `config.size_multiple`."""
        raise NotImplementedError

    def decode(self, content, style, domain):
        """The image [N,H,W,3] of a domain with this content code and this style code [N,style_dim].

        A method without a style takes None for it.
        """
        raise NotImplementedError

    def encode(self, images, domain):
        """(content code, style code) of images [N,H,W,3] of domain "a" or "b"; no style is None."""
        style = self.encode_style(images, domain) if self.style_dim else None
        return self.encode_content(images, domain), style

    def translate(self, images, direction, style=None, seed=0):
        """See Translator.translate."""
        source, target = self.source_and_target(direction)
        style = self.resolve_style(style, tf.shape(images)[0], seed)
        return self.decode(self.encode_content(images, source), style, target)

    def signatures(self):
        """See Translator.signatures; and `encode_a`, `encode_b` (images -> content, style)."""

        def encode(images, domain):
            codes = dict(zip(("content", "style"), self.encode(images, domain)))
            return {name: code for name, code in codes.items() if code is not None}

        images = {"images": [None, None, None, 3]}
        found = {
            f"encode_{domain}": (lambda images, domain=domain: encode(images, domain), images)
            for domain in "ab"
        }
        return {**super().signatures(), **found}


class StochasticStyle:
    """For a Translator with a VariationalStyleEncoder `generators[domain].style_encoder`."""

    has_style_encoder = True

    def posterior(self, images, domain):
        """(mean, log variance), each [N,style_dim], of the style of images [N,H,W,3] of a domain."""
        self.check_images(images, domain)
        return tuple(self._full(x) for x in self.generators[domain].style_encoder(images))

    def encode_style(self, images, domain):
        """The style code [N,style_dim] of images [N,H,W,3] of a domain: the mean of its distribution."""
        return self.posterior(images, domain)[0]

    def measures(self, images, domain):
        """The standard deviation of the styles' distributions, mean over dimensions; the prior's is 1."""
        log_variance = clamp_log_variance(self.posterior(images, domain)[1])
        return {"posterior_std": tf.reduce_mean(tf.exp(log_variance / 2), axis=-1)}
