"""The base classes of the methods."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional

import tensorflow as tf

from munit_tf.losses.information import clamp_log_variance
from munit_tf.models import style_codes
from munit_tf.models.options import TranslatorConfig
from munit_tf.models.training_step import DIRECTIONS, AdversarialModel, Direction, Tensors
from munit_tf.networks import graph_target

# {name: (function of tensors as keyword arguments, {input: shape})}.
Signatures = dict[str, tuple[Callable[..., Tensors], dict[str, list[Optional[int]]]]]


class CollapseCheck(NamedTuple):
    """A warning that training gives when a measure or a loss is bad, for example after a collapse.

    Attributes:
        measure: name of the value in the log without "/" and the domain, for example "diversity" or "kl".
        is_wrong: takes (value, lowest, highest); the latter two are extremes of the run up to this value.
        message: one line with the placeholders {name}, {value}, {lowest} and {highest}.
    """

    measure: str
    is_wrong: Callable[[float, float, float], bool]
    message: str


def diversity_check(flag: str) -> CollapseCheck:
    """Warns if outputs ignore the style; `flag` is the loss weight that may help."""
    return CollapseCheck(
        "diversity",
        lambda value, lowest, highest: value < highest / 10,
        "outputs hardly depend on the style any more: {name} is {value:.4f}, its maximum was {highest:.4f}. "
        f"Check the sample grids; use an earlier checkpoint or a larger {flag}.",
    )


class Translator(AdversarialModel):
    """An image-to-image translator between domains a and b.

    Images are [N,H,W,3] in [-1, 1]; results are float32, or float64 under that Keras policy. Public functions
    compile themselves when they are called outside of a tf.function.

    A subclass defines `_translate` and the methods that AdversarialModel requires. If the method can encode
    styles, it also defines `_encode_style`. A method with a content code that both domains share is a
    `ContentTranslator`.

    Attributes:
        style_dim: length of a style code; 0 if the method has no style.
        has_style_encoder: whether the method can encode styles.
        has_content_code: whether it has `encode_content`, `encode` and `decode`; see ContentTranslator.
        collapse_checks: checks that give warnings during training.
    """

    style_dim = 0
    has_style_encoder = False
    has_content_code = False
    collapse_checks: tuple[CollapseCheck, ...] = ()

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__(config)
        self._compiled_functions: dict[str, Callable] = {}

    def translate(
        self, images: tf.Tensor, direction: str, style: Optional[tf.Tensor] = None, seed: int = 0
    ) -> tf.Tensor:
        """Translates images of one domain to the other.

        Args:
            images: [N,H,W,3] in [-1, 1]; H and W multiples of `config.size_multiple`.
            direction: "a2b" or "b2a".
            style: [N, style_dim]; None: a sample from the prior.
            seed: seed of that sample.

        Returns:
            [N,H,W,3] in [-1, 1].

        Raises:
            ValueError: unknown direction, unsuitable images, or a style for a method without style.
        """
        name = self.source_and_target(direction)
        images = self._checked_images(images, name.source)
        style = self.resolve_style(style, tf.shape(images)[0], seed)
        return self._compiled(self._translate, images, style, name)

    def encode_style(self, images: tf.Tensor, domain: str) -> tf.Tensor:
        """The style codes [N,style_dim] of images [N,H,W,3] of domain "a" or "b".

        Raises:
            ValueError: unknown domain, unsuitable images, or a method without a style encoder.
        """
        if not self.has_style_encoder:
            raise ValueError(f"{type(self).__name__} has no style encoder")
        return self._compiled(self._encode_style, self._checked_images(images, domain), domain)

    def _translate(self, images: tf.Tensor, style: Optional[tf.Tensor], direction: Direction) -> tf.Tensor:
        """The translations [N,H,W,3] of images [N,H,W,3] with style codes [N,style_dim], or None."""
        raise NotImplementedError

    def _encode_style(self, images: tf.Tensor, domain: str) -> tf.Tensor:
        """The style codes [N,style_dim] of images [N,H,W,3] of a domain."""
        raise NotImplementedError

    def measures(self, images: tf.Tensor, domain: str) -> Tensors:
        """Values to log during training in addition to the losses, {name: [N]}, for images of a domain."""
        del images, domain
        return {}

    def source_and_target(self, direction: str) -> Direction:
        """The Direction with this name, for example "a2b".

        Raises:
            ValueError: the method does not have this direction.
        """
        if direction not in self.directions:
            raise ValueError(f"direction {direction!r}: must be one of {', '.join(self.directions)}")
        return DIRECTIONS[direction]

    def signatures(self) -> Signatures:
        """The functions of the method for export.

        Returns:
            {name: (function, {input: shape})}. A function takes tensors as keyword arguments and returns
            {name: tensor}. For each direction: `translate_a2b` (images, style -> images; no style if the
            method has none) and, with a style encoder, `guided_a2b` (images, style_images -> images).
        """
        image_shape: list[int | None] = [None, None, None, 3]
        functions: Signatures = {}
        for name in self.directions:
            target = DIRECTIONS[name].target

            def translate(images, style=None, name=name):
                return {"images": self.translate(images, name, style=style)}

            def guided(images, style_images, name=name, target=target):
                style = self.encode_style(style_images, target)
                return {"images": self.translate(images, name, style=style)}

            shapes = {"images": image_shape}
            if self.has_style_encoder:
                functions[f"guided_{name}"] = guided, {**shapes, "style_images": image_shape}
            if self.style_dim:
                shapes["style"] = [None, self.style_dim]
            functions[f"translate_{name}"] = translate, shapes
        return functions

    def resolve_style(
        self, style: Optional[tf.Tensor], count: int | tf.Tensor, seed: int
    ) -> Optional[tf.Tensor]:
        """Returns `style`, or `count` codes from the prior if it is None; None for a method without style.

        Raises:
            ValueError: a style for a method without style.
        """
        if self.style_dim:
            return self.prior_style(count, seed) if style is None else tf.cast(style, self.result_dtype)
        if style is not None:
            raise ValueError(f"{type(self).__name__} has no style: leave `style` out")
        return None

    def prior_style(self, count: int, seed: int = 0) -> tf.Tensor:
        """Style codes [count, style_dim] from the prior N(0, I); equal seeds give equal codes."""
        return style_codes.sample_prior(count, self.style_dim, seed, self.result_dtype)

    def call(self, batch: Tensors) -> Tensors:
        """Translates a batch of `train_step`: {direction: translated images}."""
        return {
            name: self.translate(
                batch[DIRECTIONS[name].source],
                name,
                style=batch.get(f"style_{DIRECTIONS[name].target}"),
            )
            for name in self.directions
        }

    def _checked_images(self, images, domain):
        """`images` as a tensor.

        Raises:
            ValueError: the domain is not "a" or "b", or the type, height or width is unsuitable.
        """
        _check_domain(domain)
        images = tf.convert_to_tensor(images)
        if not images.dtype.is_floating:
            raise ValueError(f"images of type {images.dtype.name}: must be floating-point, in [-1, 1]")
        multiple = self.config.size_multiple
        if any(side is not None and side % multiple for side in images.shape[1:3]):
            raise ValueError(
                f"images {tuple(images.shape)}: height and width must be multiples of {multiple}"
            )
        return tf.cast(images, self.result_dtype)

    def _compiled(self, function, *arguments):
        """Calls a method of tensors and names, compiled unless it becomes part of a larger graph.

        Portable graphs call the compiled function, too: several signatures of an export share one.
        """
        portable = graph_target.is_portable()
        if not (tf.executing_eagerly() or portable):
            return function(*arguments)
        # TensorFlow cannot save a model with a dict whose keys are not strings.
        key = function.__name__ + (":portable" if portable else "")
        if key not in self._compiled_functions:
            # On a second shape, TensorFlow traces the function once more, for all shapes.
            self._compiled_functions[key] = tf.function(function, autograph=False, reduce_retracing=True)
        return self._compiled_functions[key](*arguments)


def _check_domain(domain):
    if domain not in ("a", "b"):
        raise ValueError(f"domain {domain!r}: must be a or b")


class ContentTranslator(Translator):
    """A method that decodes the content code of an image in the other domain.

    A subclass defines `_encode_content` and `_decode`, `_encode_style` if it has a style, and the methods
    that `AdversarialModel` requires.
    """

    has_content_code = True

    def encode_content(self, images: tf.Tensor, domain: str) -> tf.Tensor:
        """The content code [N,H/m,W/m,C] of images [N,H,W,3] of a domain; m is `config.size_multiple`.

        Raises:
            ValueError: unknown domain, or unsuitable images.
        """
        return self._compiled(self._encode_content, self._checked_images(images, domain), domain)

    def encode(self, images: tf.Tensor, domain: str) -> tuple[tf.Tensor, Optional[tf.Tensor]]:
        """(content code, style code or None) of images [N,H,W,3] of domain "a" or "b".

        Raises:
            ValueError: unknown domain, or unsuitable images.
        """
        return self._compiled(self._encode, self._checked_images(images, domain), domain)

    def decode(self, content: tf.Tensor, style: Optional[tf.Tensor], domain: str) -> tf.Tensor:
        """The images [N,H,W,3] of a domain with a content code and a style code.

        Args:
            content: [N,h,w,C].
            style: [N,style_dim]; None only for a method without style.
            domain: "a" or "b".

        Raises:
            ValueError: unknown domain, a missing style, or a style for a method without style.
        """
        _check_domain(domain)
        if style is None and self.style_dim:
            raise ValueError(f"{type(self).__name__} needs a style to decode")
        style = self.resolve_style(style, count=0, seed=0)
        return self._compiled(self._decode, tf.cast(content, self.result_dtype), style, domain)

    def _encode_content(self, images: tf.Tensor, domain: str) -> tf.Tensor:
        """The content code [N,H/m,W/m,C] of images [N,H,W,3] of a domain."""
        raise NotImplementedError

    def _decode(self, content: tf.Tensor, style: Optional[tf.Tensor], domain: str) -> tf.Tensor:
        """The images [N,H,W,3] of a domain with a content code and a style code [N,style_dim], or None."""
        raise NotImplementedError

    def _encode(self, images, domain):
        style = self._encode_style(images, domain) if self.style_dim else None
        return self._encode_content(images, domain), style

    def _translate(self, images: tf.Tensor, style: Optional[tf.Tensor], direction: Direction) -> tf.Tensor:
        """See Translator."""
        return self._decode(self._encode_content(images, direction.source), style, direction.target)

    def signatures(self) -> Signatures:
        """Adds `encode_a` and `encode_b` (images -> content, style) to Translator.signatures."""

        def encode(images, domain):
            codes = dict(zip(("content", "style"), self.encode(images, domain)))
            return {name: code for name, code in codes.items() if code is not None}

        shapes: dict[str, list[int | None]] = {"images": [None, None, None, 3]}
        functions: Signatures = {
            f"encode_{domain}": (lambda images, domain=domain: encode(images, domain), shapes)
            for domain in "ab"
        }
        return {**super().signatures(), **functions}


class StochasticStyle(Translator):
    """A method with a VariationalStyleEncoder `generators[domain].style_encoder`."""

    has_style_encoder = True

    def posterior(self, images: tf.Tensor, domain: str) -> tuple[tf.Tensor, tf.Tensor]:
        """(mean, log variance), each [N,style_dim], of the styles of images [N,H,W,3] of a domain."""
        mean, log_variance = self.generators[domain].style_encoder(images)
        return self._full(mean), self._full(log_variance)

    def _encode_style(self, images: tf.Tensor, domain: str) -> tf.Tensor:
        """The means of the styles' distributions, [N,style_dim]."""
        return self.posterior(images, domain)[0]

    def measures(self, images: tf.Tensor, domain: str) -> Tensors:
        """Standard deviations of the styles' distributions, mean over dimensions; the prior has 1."""
        log_variance = clamp_log_variance(self.posterior(images, domain)[1])
        return {"posterior_std": tf.reduce_mean(tf.exp(log_variance / 2), axis=-1)}
