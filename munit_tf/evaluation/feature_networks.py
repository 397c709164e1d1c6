"""The pretrained networks of an evaluation, or the reason why they are unavailable."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, Callable

from munit_tf.errors import InputError
from munit_tf.evaluation.options import EvaluateConfig
from munit_tf.metrics import classifier
from munit_tf.metrics.inception import PublishedInception, load_keras_inception
from munit_tf.metrics.lpips import LPIPS
from munit_tf.metrics.prediction_cache import PredictionCache
from munit_tf.networks import pretrained
from munit_tf.terminal import say


class Unavailable(Exception):
    """A metric cannot be computed; the message gives the reason in one line."""


class FeatureNetworks:
    """Loads each network once, on first use.

    Args:
        config: evaluation options.

    Attributes:
        provenance: {use: origin of the weights}, for the networks loaded so far.
        cache: predictions for real images.

    Raises:
        InputError: `--classifier` or `--domain_classifier` is not a classifier.
    """

    def __init__(self, config: EvaluateConfig):
        self._config = config
        self._weights_dir = os.path.expanduser(config.weights_dir)
        self._loaded: dict[str, Any] = {}
        self.provenance: dict[str, Any] = {}
        self._classifier = classifier.load(config.classifier) if config.classifier else None
        self.cache = PredictionCache(
            config.cache_dir if config.cache else None, lambda line: say(f"warning: {line}", file=sys.stderr)
        )
        self._domain_classifier = (
            classifier.load(config.domain_classifier) if config.domain_classifier else self._classifier
        )

    @property
    def lpips(self) -> LPIPS:
        """LPIPS with the network and version of the options; raises Unavailable without its two files."""
        return self._once("lpips", self._load_lpips)

    @property
    def features(self) -> Any:
        """The network of `--features`, for FID and KID."""
        return self._once("features", self._load_features)

    @property
    def inception(self) -> PublishedInception:
        """The Inception-v3 of published FIDs and Inception Scores."""
        return self._once("inception", self._load_inception)

    def _once(self, name: str, load: Callable[[], Any]) -> Any:
        """Calls `load` once; returns its result or raises its Unavailable each time."""
        if name not in self._loaded:
            try:
                self._loaded[name] = load()
            except Unavailable as error:
                self._loaded[name] = error
        if isinstance(self._loaded[name], Unavailable):
            raise self._loaded[name]
        return self._loaded[name]

    def _load_lpips(self):
        network, version = self._config.lpips_network, self._config.lpips_version
        with _unavailable():
            taps, taps_provenance = pretrained.load_taps(network, self._weights_dir)
            linear, linear_provenance = pretrained.load_lpips_linear(network, version, self._weights_dir)
        self.provenance["lpips"] = [taps_provenance, linear_provenance]
        return LPIPS(taps, linear, version)

    def _load_features(self):
        if self._config.features == "classifier":
            network = self.classifier
            self.provenance["features"] = network.provenance
            return network
        if self._config.features == "published":
            try:
                return self.inception
            except Unavailable as error:
                raise Unavailable(f"{error}; or give other --features") from error
        with _unavailable():
            network = load_keras_inception(
                self._weights_dir,
                f"put {pretrained.INCEPTION_V3_FILE} into --weights_dir, or give other --features",
            )
        self.provenance["features"] = {
            **network.provenance,
            "description": "Inception-v3 with the ImageNet weights of keras.applications, pooled: not the "
            "graph of published FIDs, so compare these values with one another only",
        }
        return network

    def _load_inception(self):
        with _unavailable():
            network = PublishedInception(self._weights_dir, self._config.fid_resize)
        self.provenance["inception"] = network.provenance
        return network

    @property
    def classifier(self) -> Any:
        """The classifier for IS and CIS; raises Unavailable without `--classifier`."""
        if not self._classifier:
            raise Unavailable("needs --classifier=FOLDER, which munit_tf.train_classifier writes")
        self.provenance["classifier"] = self._classifier.provenance
        return self._classifier

    @property
    def domain_classifier(self) -> Any:
        """The classifier of domains; raises Unavailable without one that has the classes a and b."""
        if not self._domain_classifier or not {"a", "b"} <= set(self._domain_classifier.classes):
            raise Unavailable(
                "needs a classifier with the classes a and b (--domain_classifier=FOLDER, or --classifier): "
                "munit_tf.train_classifier --dataset=... trains one"
            )
        self.provenance["domain_classifier"] = self._domain_classifier.provenance
        return self._domain_classifier


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, InputError, ValueError) as error:
        raise Unavailable(str(error)) from error
