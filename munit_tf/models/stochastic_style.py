"""What methods share whose style encoders give a distribution."""

import tensorflow as tf

from munit_tf.losses.information import clamp_log_variance


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
