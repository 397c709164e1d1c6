"""The base of methods with a content code that both domains share: what they encode, decode and export."""

import tensorflow as tf

from munit_tf.models.translator import Translator


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
        style = self.style_or_prior(style, tf.shape(images)[0], seed)
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
