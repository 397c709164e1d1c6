"""The training step that all methods share: generators against discriminators."""

from __future__ import annotations

import collections
import contextlib
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Optional

import keras
import tensorflow as tf

from munit_tf import keras_compat
from munit_tf.losses.gradient_penalty import r1_penalty
from munit_tf.models import augmentation
from munit_tf.models.image_pool import ImagePool
from munit_tf.models.optimizers import Adam
from munit_tf.models.options import TranslatorConfig
from munit_tf.models.weight_averaging import AveragedWeights
from munit_tf.networks import graph_target
from munit_tf.networks.convolutions import orthogonalize
from munit_tf.networks.gradient_checkpointing import recomputing

Direction = collections.namedtuple("Direction", ["source", "target"])
DIRECTIONS = types.MappingProxyType({"a2b": Direction("a", "b"), "b2a": Direction("b", "a")})
Tensors = dict[str, tf.Tensor]
# Loss terms that any method may have, as in `loss_weights`.
_COMMON_WEIGHTS = {"r1": "lazy_r1_weight"}


class AdversarialModel(keras.Model):
    """The training step: first the discriminators, then the generators, in both directions.

    A method defines its networks and, for one direction, its losses. This class runs both directions and
    sums their losses before it takes the gradient. A subclass sets `generators` and `discriminators` in its
    constructor (each a dict of layers that one optimizer trains), then calls `_build`. It defines
    `loss_weights`, `noise_shapes`, `make_fakes`, `discriminator_losses` and `generator_losses`.

    Attributes:
        config_class: the class of the method's options.
        config: the method's frozen options.
        generators: {name: layer}, trained by the generator optimizer.
        discriminators: {name: layer}, trained by the discriminator optimizer.
        directions: names of the directions that the method translates in.
        loss_weights: {loss term: name of the config attribute that holds its weight}, for example
            {"recon_x": "recon_x_weight"}. Terms of weight 0 are left out.
        image_pools: {domain: ImagePool}, training state that no optimizer updates.
        real_domains: {name of a discriminator of images: the domain of its real images}.
        averages: the moving averages of the generators' weights, or None.
        step: int64 tf.Variable, the number of training steps taken.
    """

    config_class: type[TranslatorConfig]
    config: TranslatorConfig
    generators: dict[str, keras.layers.Layer]
    discriminators: dict[str, keras.layers.Layer]
    directions: tuple[str, ...] = tuple(DIRECTIONS)
    loss_weights: Mapping[str, str] = types.MappingProxyType({})
    image_pools: Mapping[str, ImagePool] = types.MappingProxyType({})
    real_domains: Mapping[str, str] = types.MappingProxyType({"a": "a", "b": "b"})
    averages: Optional[AveragedWeights] = None

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.config = config
        self.step = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    # A method defines these.

    def noise_shapes(self, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """The standard normal noise that a batch must contain: {name: shape for one image}.

        It may depend on the height and width of the images, in pixels. A subclass adds its own noise.
        """
        del height, width
        return {"augment": (augmentation.IMAGES, augmentation.DRAWS)} if self.config.augment else {}

    def prepare(self, batch: Tensors) -> dict:
        """Adds results that both directions need to the batch. The generators' tape records it."""
        return batch

    def make_fakes(self, source: str, target: str, batch: dict) -> dict:
        """Generates fakes in the target domain, and other results that both updates of a step use.

        Args:
            source: the domain to translate from.
            target: the domain to translate to.
            batch: the result of `prepare`.
        """
        raise NotImplementedError

    def replay(self, target: str, batch: dict, fakes: dict) -> dict:
        """Returns the fakes that the discriminators see instead of `fakes`; it may use `image_pools`.

        It is called once per training step and direction; `fakes` have no gradient.
        """
        del target, batch
        return fakes

    def discriminator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """{"term/domain": scalar}; `fakes` is the result of `replay`."""
        raise NotImplementedError

    def generator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """{"term/domain": scalar}; `fakes` is the result of `make_fakes`."""
        raise NotImplementedError

    # All methods share these.

    def loss_weight(self, term: str) -> float:
        """The weight of a loss term, for example "recon_x", in `loss_d` or `loss_g`."""
        return getattr(self.config, {**_COMMON_WEIGHTS, **self.loss_weights}[term])

    @property
    def result_dtype(self) -> tf.DType:
        """The type of losses and results: the type of the weights, at least float32."""
        return tf.as_dtype(self.variable_dtype)

    def discriminate(
        self, x: tf.Tensor, name: str, batch: Optional[dict] = None, training: bool = True
    ) -> list[tf.Tensor]:
        """The maps of logits [N,h,w,1], one per scale, of images or codes x by the discriminator `name`.

        Images are augmented if the options say so and `batch` has the random draws.
        """
        if batch and self.config.augment and name in self.real_domains:
            x = augmentation.augment(x, self.config.augment, batch["augment"])
        return [self._full(logits) for logits in self.discriminators[name](x, training=training)]

    def discriminate_all(self, batches: Sequence[tf.Tensor], name: str, batch: dict) -> list[list[tf.Tensor]]:
        """Applies `discriminate` to several batches: a list of lists of maps.

        The batches are concatenated, except with spectral normalization, which in the authors' code takes one
        step of power iteration per batch.
        """
        if self.config.dis_norm == "spectral":
            return [self.discriminate(x, name, batch) for x in batches]
        return map_batched(lambda x: self.discriminate(x, name, batch), batches)

    def compile(
        self, image_size: tuple[int, int] | None = None, recompute: bool = False, **options: Any
    ) -> None:
        """Creates both optimizers and other training state.

        Args:
            image_size: (height, width) of training images, in pixels; needed by a method with an image pool.
            recompute: recompute intermediate results of the networks' blocks for the generators' gradient:
                less memory for more time.
            **options: options of keras.Model.compile, for example `jit_compile`.
        """
        del image_size
        self._recompute = recompute
        super().compile(**{"jit_compile": False, **options})
        self.distribute_reduction_method = "first"  # The logs are already the mean over replicas.
        config = self.config
        dis_rate = config.learning_rate if config.dis_learning_rate is None else config.dis_learning_rate
        self.discriminator_optimizer = self._make_optimizer(self.discriminators, dis_rate)
        self.generator_optimizer = self._make_optimizer(self.generators, config.learning_rate)
        if config.ema_half_life:
            weights = named_variables(self.generators, "generators")
            self.averages = AveragedWeights(weights, config.ema_half_life)

    # There is no control flow to convert; without autograph, tracing takes half of the time.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch: Tensors) -> Tensors:
        """One update of the discriminators, then one of the generators against the new discriminators.

        Both use the same fakes, which are generated once:

            batch -> fakes -> stop_gradient -> discriminators' losses -> their gradient -> their update
                       |                                                                      |
                       +--------------------> generators' losses  <------ new discriminators -+
                                                 -> their gradient, through the fakes -> their update

        Args:
            batch: {"a": images, "b": images, and one entry per item of `noise_shapes`}, with N images per
                domain on this replica.

        Returns:
            {name: scalar}, means over the global batch: all loss terms, unweighted, and their weighted sums
            `loss_d` and `loss_g`. The penalty `r1` is 0 in steps without it.

        Raises:
            ValueError: the batch lacks an entry.
        """
        missing = {"a", "b", *self.noise_shapes(0, 0)} - set(batch)
        if missing:
            raise ValueError(f"the batch lacks {sorted(missing)}; it has {sorted(batch)}")
        batch = {name: tf.cast(value, self.result_dtype) for name, value in batch.items()}
        # If the batch cannot be loaded, the step must not be counted.
        with tf.control_dependencies(list(batch.values())):
            directions = [DIRECTIONS[name] for name in self.directions]
            with tf.GradientTape() as tape, recomputing(self._recompute):
                batch = self.prepare(batch)
                fakes = [self.make_fakes(*direction, batch) for direction in directions]
            logs = self._update_discriminators(directions, batch, fakes)
            logs.update(self._update_generators(directions, batch, fakes, tape))
            self.step.assign_add(1)
            if self.averages:
                self.averages.update(self.step, graph_target.sizes(batch["a"])[0] * _replicas())
        replica = tf.distribute.get_replica_context()
        return replica.all_reduce(tf.distribute.ReduceOp.MEAN, logs)

    def named_weights(self) -> dict[str, tf.Variable]:
        """All weights, {name: tf.Variable}; the names do not depend on the Keras version."""
        return {
            **named_variables(self.generators, "generators"),
            **named_variables(self.discriminators, "discriminators"),
        }

    def named_averages(self) -> dict[str, tf.Variable]:
        """The averages of the generators' weights, {"averages/" and the weight's name: tf.Variable}."""
        averages = self.averages.variables if self.averages else {}
        return {f"averages/{name}": variable for name, variable in averages.items()}

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """Replaces the generators' weights by their averages in a `with` block, if there are averages."""
        return self.averages.in_use() if self.averages else contextlib.nullcontext()

    def named_state(self) -> dict[str, tf.Variable]:
        """All variables needed to resume training, {name: tf.Variable}.

        These are weights and their averages, optimizers, pools and step.
        """
        pools = named_variables(self.image_pools, "image_pools")
        state = {"step": self.step, **self.named_weights(), **self.named_averages(), **pools}
        for name, optimizer, networks in (
            ("discriminator_optimizer", self.discriminator_optimizer, self.discriminators),
            ("generator_optimizer", self.generator_optimizer, self.generators),
        ):
            variables = keras_compat.inner_optimizer(optimizer).named_variables(_trainable(networks))
            variables.update(keras_compat.loss_scaling_variables(optimizer))
            state.update({f"{name}/{key}": variable for key, variable in variables.items()})
        return state

    def _build(self):
        """Creates all weights by running the networks once; must be called at the end of a constructor."""
        self.built = True
        size = self.config.smallest_size
        images = tf.zeros([1, size, size, 3], self.result_dtype)
        shapes = self.noise_shapes(size, size)
        noise = {name: tf.zeros([1, *shape], self.result_dtype) for name, shape in shapes.items()}
        batch = self.prepare({"a": images, "b": images, **noise})
        for name in self.directions:
            direction = DIRECTIONS[name]
            fakes = self.make_fakes(*direction, batch)
            self.discriminator_losses(*direction, batch, fakes)
            self.generator_losses(*direction, batch, fakes)
        if self.config.init == "orthogonal":
            orthogonalize(self.named_weights())

    def _update_discriminators(self, directions, batch, fakes):
        """Updates the discriminators; returns the loss terms and `loss_d`."""
        detached = tf.nest.map_structure(tf.stop_gradient, fakes)
        seen = [self.replay(direction.target, batch, each) for direction, each in zip(directions, detached)]
        optimizer, weights = self.discriminator_optimizer, _trainable(self.discriminators)
        with tf.GradientTape() as tape:
            terms = self._terms(self.discriminator_losses, directions, batch, seen)
            if self.config.r1_weight:
                terms.update(self._lazy_r1(directions, batch))
            loss = self._weighted_sum(terms)
            scaled = self._scaled(loss, optimizer)
        gradients = tape.gradient(scaled, list(weights.values()))
        keras_compat.apply_gradients(optimizer, gradients, list(weights.values()))
        return {**terms, "loss_d": loss}

    def _lazy_r1(self, directions, batch):
        """The penalty R1 of the discriminators of each domain, {"r1/domain": scalar}.

        It is 0 except in every `r1_every`th step (Karras et al. 2020, StyleGAN2, section 3.1).
        """
        domains = [direction.target for direction in directions]

        def penalties():
            terms = dict.fromkeys((f"r1/{domain}" for domain in domains), tf.zeros([], self.result_dtype))
            for name, domain in self.real_domains.items():
                # Not training: a step of power iteration would change the state of spectral normalization.
                terms[f"r1/{domain}"] += r1_penalty(
                    lambda x, name=name: self.discriminate(x, name, batch, training=False), batch[domain]
                )
            return list(terms.values())

        is_due = tf.equal((self.step + 1) % self.config.r1_every, 0)
        values = tf.cond(is_due, penalties, lambda: [tf.zeros([], self.result_dtype) for _ in domains])
        return {f"r1/{domain}": value for domain, value in zip(domains, values)}

    def _update_generators(self, directions, batch, fakes, tape):
        """Updates the generators with the tape that recorded `fakes`; returns the loss terms and `loss_g`."""
        optimizer, weights = self.generator_optimizer, _trainable(self.generators)
        with tape, recomputing(self._recompute):
            terms = self._terms(self.generator_losses, directions, batch, fakes)
            loss = self._weighted_sum(terms)
            scaled = self._scaled(loss, optimizer)
        gradients = tape.gradient(scaled, list(weights.values()))
        keras_compat.apply_gradients(optimizer, gradients, list(weights.values()))
        return {**terms, "loss_g": loss}

    def _make_optimizer(self, networks, learning_rate):
        config = self.config
        optimizer = Adam(
            self.step,
            learning_rate=learning_rate,
            half_life_steps=config.learning_rate_half_life_steps,
            beta_1=config.beta_1,
            beta_2=config.beta_2,
            weight_decay=config.weight_decay,
            constant_steps=config.learning_rate_constant_steps,
            decay_steps=config.learning_rate_decay_steps,
        )
        if self.compute_dtype == "float16":
            optimizer = keras_compat.with_loss_scaling(optimizer)
        optimizer.build(list(_trainable(networks).values()))
        return optimizer

    def _terms(self, losses_of, directions, batch, fakes):
        """{name: loss term} of all directions, without terms of weight 0.

        A tf.function does not compute unused terms, unless they share a batch with used ones.
        """
        terms = {}
        for direction, each in zip(directions, fakes):
            losses = losses_of(*direction, batch, each)
            terms.update({name: loss for name, loss in losses.items() if self.loss_weight(_term(name))})
        return terms

    def _weighted_sum(self, terms):
        return tf.add_n([self.loss_weight(_term(name)) * loss for name, loss in terms.items()])

    def _scaled(self, loss, optimizer):
        """Scales a loss as the optimizer expects it.

        Gradients are summed over replicas. Dividing by the number of replicas makes the sum the gradient of
        the mean over the global batch.
        """
        share = loss / _replicas()
        return keras_compat.scale_loss(optimizer, share)

    def _full(self, x):
        """Casts the output of a network to `result_dtype`."""
        return tf.cast(x, self.result_dtype)


def _replicas():
    return tf.distribute.get_strategy().num_replicas_in_sync


def _term(name):
    """The loss term of a name: `recon_x/a` -> `recon_x`."""
    return name.split("/")[0]


def _trainable(networks):
    return {name: variable for name, variable in named_variables(networks).items() if variable.trainable}


def named_variables(node: Any, prefix: str = "") -> dict[str, tf.Variable]:
    """All variables of a layer, or of a dict or list of layers, {name: tf.Variable}.

    A name is the path of attributes, keys and indices to the variable, for example
    `a/content_encoder/convs/0/conv/kernel`. Attributes whose name starts with an underscore are skipped.
    """
    children: Iterable[tuple[Any, Any]]
    if isinstance(node, dict):
        children = node.items()
    elif isinstance(node, (list, tuple)):
        children = enumerate(node)
    elif isinstance(node, keras.layers.Layer):
        children = [(name, value) for name, value in vars(node).items() if not name.startswith("_")]
    elif keras_compat.is_variable(node):
        return {prefix: keras_compat.tf_variable(node)}
    else:
        return {}
    named = {}
    for name, child in children:
        named.update(named_variables(child, f"{prefix}/{name}" if prefix else str(name)))
    return named


def map_batched(function: Callable[..., Any], *arguments: Sequence[tf.Tensor]) -> list:
    """Applies a function to the concatenation of k batches and splits the result.

    Args:
        function: takes one tensor per argument; returns a tensor or a nested structure of tensors with the
            same batch axis.
        *arguments: sequences of k tensors [N_1, ...], [N_2, ...], ..., one per argument of `function`.

    Returns:
        A list of the k results.
    """
    counts = [graph_target.sizes(x)[0] for x in arguments[0]]
    result = function(*(tf.concat(list(batches), axis=0) for batches in arguments))
    parts = [tf.split(x, counts) for x in tf.nest.flatten(result)]
    return [tf.nest.pack_sequence_as(result, list(each)) for each in zip(*parts)]
