"""The base of every method: what it does to images."""

from munit_tf import style_codes
from munit_tf.models.adversarial import DIRECTIONS, AdversarialModel


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

    def style_or_prior(self, style, count, seed):
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
