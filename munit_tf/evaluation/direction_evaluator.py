"""All metrics of a model in one direction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Callable

import numpy as np
from tqdm import tqdm

from munit_tf.data.sources import Source
from munit_tf.errors import InputError
from munit_tf.evaluation.feature_networks import FeatureNetworks, Unavailable
from munit_tf.evaluation.options import WITH_FEATURES, EvaluateConfig
from munit_tf.evaluation.translator_under_test import TranslatorUnderTest
from munit_tf.metrics import content, inception_score, neighborhoods
from munit_tf.metrics.classifier import Predictions
from munit_tf.metrics.fid import fid, kid
from munit_tf.metrics.lpips import PROTOCOLS, SINGLE_OUTPUT, PairDistances, mean_absolute_difference
from munit_tf.metrics.sampling import in_batches, require_finite, sample_outputs
from munit_tf.metrics.true_targets import DistanceToTarget

_NUM_SCORE_OUTPUTS = 100  # MUNIT, section 5.2, for IS and CIS.
_NUM_SET_OUTPUTS = 10  # StarGAN v2, for FID.
_NUM_HUE_OUTPUTS = 16


class DirectionEvaluator:
    """Computes the metrics of a model in one direction.

    Args:
        subject: the model with its test images.
        reference: the real images for FID and KID.
        networks: the pretrained networks.
        config: evaluation options.

    Attributes:
        num_inputs: the number of test images that are translated.
        not_computed: {metric: reason}, set by `measure`.
    """

    def __init__(
        self,
        subject: TranslatorUnderTest,
        reference: Source,
        networks: FeatureNetworks,
        config: EvaluateConfig,
    ):
        self._subject = subject
        self._reference = reference
        self._networks = networks
        self._config = config
        self._has_style = bool(subject.model.style_dim)
        self.num_inputs = min(config.num_inputs, len(subject.inputs))
        self._real_features: np.ndarray | None = None
        self._meters: dict[Any, Any] = {}
        self.not_computed: dict[str, str] = {}

    def measure(self, wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Computes metrics; sets `not_computed` for those that cannot be computed.

        Args:
            wanted: names of metrics that the subject supports.

        Returns:
            {metric: {key: number}}.

        Raises:
            InputError: translations contain NaN, or an image cannot be read.
        """
        for metric in wanted:
            self._attempt(metric, self._prepare, metric)
        self._run_meters()
        results = {}
        for metric in wanted:
            if metric not in self.not_computed:
                found = self._attempt(metric, getattr(self, f"_{metric}"))
                if found is not None:
                    results[metric] = found
        return results

    def _attempt(self, metric: str, function: Callable, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (Unavailable, InputError) as error:
            self.not_computed[metric] = str(error)
            return None

    def _prepare(self, metric: str) -> None:
        """Adds the meter for a metric; raises Unavailable if a network is missing."""
        if metric == "lpips":
            self._pair_meter("lpips", self._networks.lpips)
        elif metric == "l1":
            self._pair_meter("l1", mean_absolute_difference, to_input=False)
        elif metric in WITH_FEATURES:
            self._predictions(self._networks.features, self._outputs(_NUM_SET_OUTPUTS))
        elif metric == "inception_score":
            self._predictions(self._networks.inception, self._outputs(_NUM_SET_OUTPUTS))
        elif metric == "accuracy":
            self._predictions(self._networks.domain_classifier, self._outputs(_NUM_SET_OUTPUTS))
        elif metric in ("is", "cis"):
            self._predictions(self._networks.classifier, self._outputs(_NUM_SCORE_OUTPUTS))
        elif metric in ("target_lpips", "target_l1"):
            distance = self._networks.lpips if metric == "target_lpips" else mean_absolute_difference
            load_targets = self._subject.loader(self._subject.targets)
            outputs = self._outputs(_NUM_SET_OUTPUTS)
            self._meters[metric] = DistanceToTarget(distance, load_targets, outputs)
        elif metric == "shapes":
            insides = self._subject.insides(range(self.num_inputs))
            num_outputs = _NUM_HUE_OUTPUTS if self._has_style else 1
            self._meters["shapes"] = content.ShapesContent(insides, num_outputs)

    def _pair_meter(self, metric: str, distance: Callable, to_input: bool = True) -> None:
        protocol = PROTOCOLS[self._config.lpips_protocol] if self._has_style else SINGLE_OUTPUT
        self._meters[metric] = PairDistances(distance, protocol, self._config.batch_size, to_input)

    def _predictions(self, network: Any, num_outputs: int) -> None:
        """Adds a network, which runs once for all metrics that use it."""
        meter = self._meters.setdefault(network, Predictions(network, 0))
        meter.num_outputs = max(meter.num_outputs, num_outputs)

    def _run_meters(self) -> None:
        if not self._meters:
            return
        meters = list(self._meters.values())
        num_outputs = max(meter.num_outputs for meter in meters)
        total = self.num_inputs * num_outputs
        self._subject.check_memory(min(self._config.batch_size, total))
        blocks = sample_outputs(
            self._subject.translate,
            self._subject.loader(self._subject.inputs),
            self.num_inputs,
            num_outputs,
            self._subject.styles(num_outputs, self.num_inputs, self._config.seed),
            self._config.batch_size,
        )
        with tqdm(desc=self._subject.direction, total=total, unit="image", disable=None) as bar:
            for block in blocks:
                for meter in meters:
                    meter.add(block)
                bar.update(len(block.outputs))

    # One method per metric.

    def _lpips(self):
        return self._meters["lpips"].result()

    def _l1(self):
        return self._meters["l1"].result()

    def _fid(self):
        generated, real = self._feature_sets()
        untranslated, _ = self._predict(self._networks.features, self._subject.inputs)
        return {
            "value": fid(generated, real),
            "untranslated": fid(untranslated, real),
            **_sizes(generated, real),
        }

    def _kid(self):
        generated, real = self._feature_sets()
        config = self._config
        return {
            **kid(generated, real, config.kid_subsets, config.kid_subset_size, config.seed),
            **_sizes(generated, real),
        }

    def _precision_recall(self):
        generated, real = self._independent_feature_sets()
        return {**neighborhoods.precision_recall(real, generated), **_sizes(generated, real)}

    def _density_coverage(self):
        generated, real = self._independent_feature_sets()
        return {**neighborhoods.density_coverage(real, generated), **_sizes(generated, real)}

    def _inception_score(self):
        p = self._meters[self._networks.inception].probabilities(self._outputs(_NUM_SET_OUTPUTS))
        p = p.reshape(-1, p.shape[-1])
        return {**inception_score.split_inception_score(p, seed=self._config.seed), "outputs": len(p)}

    def _is(self):
        p = self._score_probabilities()
        return {**inception_score.inception_score(p), "outputs": p.shape[0] * p.shape[1]}

    def _cis(self):
        p = self._score_probabilities()
        return {
            **inception_score.conditional_inception_score(p),
            "inputs": p.shape[0],
            "outputs_per_input": p.shape[1],
        }

    def _accuracy(self):
        network = self._networks.domain_classifier
        p = self._meters[network].probabilities(self._outputs(_NUM_SET_OUTPUTS))
        subject, hits = self._subject, []
        for domain, images in ((subject.source, subject.inputs), (subject.target, subject.targets)):
            _, real = self._predict(network, images)
            hits.append(
                (inception_score.accuracy(real, network.classes.index(domain)) * len(real), len(real))
            )
        right, total = map(sum, zip(*hits))
        return {
            "translations": inception_score.accuracy(p, network.classes.index(subject.target)),
            "real": right / total,
            "outputs": p.shape[0] * p.shape[1],
            "real_images": total,
        }

    def _reconstruction(self):
        return self._compared_with_inputs(lambda images, indices: self._subject.reconstruct(images))

    def _cycle(self):
        styles = self._subject.styles(1, self.num_inputs, self._config.seed)
        return self._compared_with_inputs(
            lambda images, indices: self._subject.cycle(
                images, None if styles is None else styles[0][indices]
            )
        )

    def _style(self):
        subject = self._subject
        load = subject.loader(subject.targets)
        codes = self._in_batches(
            lambda indices: subject.encode_style(load(indices), subject.target), len(subject.targets)
        )
        return {**content.style_gap(codes), "images": len(codes)}

    def _target_lpips(self):
        return self._meters["target_lpips"].result()

    def _target_l1(self):
        return self._meters["target_l1"].result()

    def _shapes(self):
        result = self._meters["shapes"].result()
        if not self._subject.encodes_style:
            return result
        count = min(self.num_inputs, len(self._subject.targets))
        errors = self._in_batches(self._guided_hue_errors, count)
        return {**result, "guided_hue_error": float(errors.mean()), "references": count}

    # Shared by several metrics.

    def _guided_hue_errors(self, indices: Sequence[int]) -> np.ndarray:
        """Hue distances between reference i and input i in the style of reference i."""
        subject = self._subject
        codes = subject.encode_style(subject.loader(subject.targets)(indices), subject.target)
        outputs = subject.translate(subject.loader(subject.inputs)(indices), codes)
        require_finite(outputs, "translations")
        hues = content.mean_hue(outputs, subject.insides(indices))
        references = np.array([subject.targets.shape(i).hue for i in indices])
        return content.hue_distance(hues, references)

    def _compared_with_inputs(self, function):
        """L1 and PSNR between the inputs and function(images, their indices)."""
        load = self._subject.loader(self._subject.inputs)

        def compare(indices):
            images = load(indices)
            results = function(images, indices)
            require_finite(results, "reconstructions")
            return np.stack(content.reconstruction(images, results), axis=1)

        l1, psnr = self._in_batches(compare, self.num_inputs).mean(axis=0)
        return {"l1": float(l1), "psnr": float(psnr), "images": self.num_inputs}

    def _feature_sets(self):
        """Features of the translations, and of the real images."""
        network = self._networks.features
        if self._real_features is None:
            self._real_features, _ = self._predict(network, self._reference)
        return self._meters[network].features(self._outputs(_NUM_SET_OUTPUTS)), self._real_features

    def _independent_feature_sets(self):
        """The same with one translation of each input: several would be each other's neighbors."""
        _, real = self._feature_sets()
        return self._meters[self._networks.features].features(1), real

    def _predict(self, network: Any, images: Source) -> tuple[np.ndarray, np.ndarray | None]:
        """(features, probabilities or None) of all real images of a source."""
        load = self._subject.loader(images)
        return self._networks.cache.predict(network, load, len(images), self._config.batch_size)

    def _in_batches(self, function, count):
        return in_batches(function, count, self._config.batch_size)

    def _score_probabilities(self):
        return self._meters[self._networks.classifier].probabilities(self._outputs(_NUM_SCORE_OUTPUTS))

    def _outputs(self, default):
        """The number of outputs per input for a metric with this default."""
        return (self._config.num_outputs or default) if self._has_style else 1


def _sizes(generated, real):
    return {"generated_images": len(generated), "real_images": len(real)}
