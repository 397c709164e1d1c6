"""All measures of a model in one direction."""

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from munit_tf.config import InputError
from munit_tf.data import pipeline
from munit_tf.evaluation import content, inception
from munit_tf.evaluation.classifier import Predictions
from munit_tf.evaluation.fid import fid, kid
from munit_tf.evaluation.lpips import PROTOCOLS, SINGLE_OUTPUT, PairDistances, mean_absolute_difference
from munit_tf.evaluation.sampling import in_batches, require_finite, sample_outputs
from munit_tf.models.translator import DIRECTIONS
from munit_tf.scoring.networks import Unavailable

_NUM_SCORE_OUTPUTS = 100  # MUNIT, section 5.2, for IS and CIS.
_NUM_SET_OUTPUTS = 10  # StarGAN v2, for FID.
_NUM_HUE_OUTPUTS = 16


class Direction:
    """A model, its data and the networks, for one direction.

    Args:
        model: a Translator.
        dataset: data.registry.Dataset with test images.
        data_options: DataConfig, for the images' size.
        name: "a2b" or "b2a".
        networks: Networks.
        config: EvaluateConfig.
    """

    def __init__(self, model, dataset, data_options, name, networks, config):
        self._model = model
        self._name = name
        self._source, self._target = DIRECTIONS[name]
        self._networks = networks
        self._config = config
        self._data_options = data_options
        self._inputs = dataset.test[self._source]
        self._targets = dataset.test[self._target]
        self._reference = getattr(dataset, config.fid_reference)[self._target]
        self.num_inputs = min(config.num_inputs, len(self._inputs))
        self._translate, self._encode_style = _traced(model, data_options.image_size)
        self._meters = {}
        self.not_computed = {}

    def measure(self, wanted):
        """The metrics of these names, {metric: {key: number}}, as far as they can be computed.

        The others' names and reasons are in `not_computed` then.

        Raises:
            InputError: translations hold NaN, or an image cannot be read.
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

    def _attempt(self, metric, function, *arguments):
        try:
            return function(*arguments)
        except (Unavailable, InputError) as error:
            self.not_computed[metric] = str(error)
            return None

    def _prepare(self, metric):
        """Makes what will look at the outputs; raises Unavailable where it is known already."""
        has_style = bool(self._model.style_dim)
        if metric == "lpips":
            self._pair_meter("lpips", self._networks.lpips)
        elif metric == "l1":
            if not has_style:
                raise Unavailable("the method has no style: one output of each input")
            self._pair_meter("l1", mean_absolute_difference, to_input=False)
        elif metric in ("fid", "kid"):
            self._predictions(self._networks.features, self._outputs(_NUM_SET_OUTPUTS))
        elif metric == "accuracy":
            self._predictions(self._networks.domain_classifier, self._outputs(_NUM_SET_OUTPUTS))
        elif metric in ("is", "cis"):
            if metric == "cis" and not has_style:
                raise Unavailable("the method has no style: one output of each input")
            self._predictions(self._networks.classifier, self._outputs(_NUM_SCORE_OUTPUTS))
        elif metric == "reconstruction" and not hasattr(self._model, "decode"):
            raise Unavailable("the method has no decoder that reconstructs its input")
        elif metric == "cycle" and len(self._model.directions) < 2:
            raise Unavailable("the method has one direction only")
        elif metric == "style" and not has_style:
            raise Unavailable("the method has no style")
        elif metric == "shapes":
            self._prepare_shapes()

    def _pair_meter(self, metric, distance, to_input=True):
        protocol = PROTOCOLS[self._config.lpips_protocol] if self._model.style_dim else SINGLE_OUTPUT
        self._meters[metric] = PairDistances(distance, protocol, self._config.batch_size, to_input)

    def _predictions(self, network, num_outputs):
        """One pass of a network serves all metrics that ask it."""
        meter = self._meters.setdefault(network, Predictions(network, 0))
        meter.num_outputs = max(meter.num_outputs, num_outputs)

    def _prepare_shapes(self):
        if not hasattr(self._inputs, "inside"):
            raise Unavailable("content is known for --dataset=shapes only")
        if self._name != "a2b":
            raise Unavailable("known answers are those of a2b")
        insides = np.stack([self._inside(self._inputs, i) for i in range(self.num_inputs)])
        self._meters["shapes"] = content.ShapesContent(
            insides, _NUM_HUE_OUTPUTS if self._model.style_dim else 1
        )

    def _run_meters(self):
        if not self._meters:
            return
        meters = list(self._meters.values())
        num_outputs = max(meter.num_outputs for meter in meters)
        total = self.num_inputs * num_outputs
        blocks = sample_outputs(
            self._translated,
            self._loader(self._inputs),
            self.num_inputs,
            num_outputs,
            self._styles(num_outputs),
            self._config.batch_size,
        )
        with tqdm(desc=self._name, total=total, unit="image", disable=None) as bar:
            for block in blocks:
                for meter in meters:
                    meter.add(block)
                bar.update(len(block.outputs))

    # What each metric is.

    def _lpips(self):
        return self._meters["lpips"].result()

    def _l1(self):
        return self._meters["l1"].result()

    def _fid(self):
        generated, real = self._feature_sets()
        untranslated = in_batches(
            lambda indices: self._networks.features(self._loader(self._inputs)(indices))[0],
            len(self._inputs),
            self._config.batch_size,
        )
        return {
            "value": fid(generated, real),
            "untranslated": fid(untranslated, real),
            "generated_images": len(generated),
            "real_images": len(real),
        }

    def _kid(self):
        generated, real = self._feature_sets()
        config = self._config
        return {
            **kid(generated, real, config.kid_subsets, config.kid_subset_size, config.seed),
            "generated_images": len(generated),
            "real_images": len(real),
        }

    def _is(self):
        p = self._score_probabilities()
        return {**inception.inception_score(p), "outputs": p.shape[0] * p.shape[1]}

    def _cis(self):
        p = self._score_probabilities()
        return {
            **inception.conditional_inception_score(p),
            "inputs": p.shape[0],
            "outputs_per_input": p.shape[1],
        }

    def _accuracy(self):
        network = self._networks.domain_classifier
        p = self._meters[network].probabilities(self._outputs(_NUM_SET_OUTPUTS))
        hits = []
        for domain, images in ((self._source, self._inputs), (self._target, self._targets)):
            index = network.classes.index(domain)
            loader = self._loader(images)
            real = in_batches(
                lambda indices, loader=loader: network(loader(indices))[1],
                len(images),
                self._config.batch_size,
            )
            hits.append((inception.accuracy(real, index) * len(images), len(images)))
        right, total = map(sum, zip(*hits))
        return {
            "translations": inception.accuracy(p, network.classes.index(self._target)),
            "real": right / total,
            "outputs": p.shape[0] * p.shape[1],
            "real_images": total,
        }

    def _reconstruction(self):
        def reconstruct(images, indices):
            return self._model.decode(*self._model.encode(images, self._source), self._source)

        return self._compared_with_inputs(reconstruct)

    def _cycle(self):
        back = next(name for name in self._model.directions if DIRECTIONS[name].target == self._source)
        styles = self._styles(1)

        def cycle(images, indices):
            translated = self._translated(images, None if styles is None else styles[0][indices])
            own = [self._encode_style[self._source](images)] if self._model.style_dim else []
            return self._translate[back](translated, *own)

        return self._compared_with_inputs(cycle)

    def _style(self):
        loader = self._loader(self._targets)
        codes = in_batches(
            lambda indices: self._encode_style[self._target](loader(indices)),
            len(self._targets),
            self._config.batch_size,
        )
        return {**content.style_gap(codes), "images": len(codes)}

    def _shapes(self):
        result = self._meters["shapes"].result()
        if not self._model.style_dim:
            return result
        count = min(self.num_inputs, len(self._targets))
        errors = in_batches(self._guided_hue_errors, count, self._config.batch_size)
        return {**result, "guided_hue_error": float(errors.mean()), "references": count}

    # What they need.

    def _guided_hue_errors(self, indices):
        """Input i in the style of reference i: how far the hues are from each other."""
        codes = self._encode_style[self._target](self._loader(self._targets)(indices))
        outputs = self._translated(self._loader(self._inputs)(indices), codes)
        require_finite(outputs, "translations")
        hues = content.mean_hue(outputs, np.stack([self._inside(self._inputs, i) for i in indices]))
        return content.hue_distance(hues, [self._targets.shape(i).hue for i in indices])

    def _compared_with_inputs(self, function):
        """L1 and PSNR between the inputs and function(images, their indices)."""
        load = self._loader(self._inputs)

        def compare(indices):
            images = load(indices)
            made = np.asarray(function(images, indices))
            require_finite(made, "reconstructions")
            return np.stack(content.reconstruction(images, made), axis=1)

        l1, psnr = in_batches(compare, self.num_inputs, self._config.batch_size).mean(axis=0)
        return {"l1": float(l1), "psnr": float(psnr), "images": self.num_inputs}

    def _feature_sets(self):
        network, loader = self._networks.features, self._loader(self._reference)
        generated = self._meters[network].features(self._outputs(_NUM_SET_OUTPUTS))
        if not hasattr(self, "_real_features"):
            self._real_features = in_batches(
                lambda indices: network(loader(indices))[0], len(self._reference), self._config.batch_size
            )
        return generated, self._real_features

    def _score_probabilities(self):
        return self._meters[self._networks.classifier].probabilities(self._outputs(_NUM_SCORE_OUTPUTS))

    def _outputs(self, default):
        """Outputs of each input for a metric with this default."""
        return (self._config.num_outputs or default) if self._model.style_dim else 1

    def _styles(self, num_outputs):
        """Codes of the prior [num_outputs, inputs, style_dim], or None; code k is the same for any count."""
        if not self._model.style_dim:
            return None
        # A stream of its own for each output, far from other seeds'.
        seeds = (self._config.seed * 1_000_003 + k for k in range(num_outputs))
        return np.stack([self._model.prior_style(self.num_inputs, seed).numpy() for seed in seeds])

    def _translated(self, images, styles):
        return self._translate[self._name](images, *([] if styles is None else [styles])).numpy()

    def _loader(self, source):
        options = self._data_options
        return lambda indices: pipeline.load_images(
            source, indices, resize=options.resize, image_size=options.image_size
        )

    def _inside(self, source, index):
        """What to fill, cropped as the image is."""
        height, width = self._data_options.image_size
        inside = source.inside(index)
        top, left = (inside.shape[0] - height) // 2, (inside.shape[1] - width) // 2
        return inside[top : top + height, left : left + width]


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
