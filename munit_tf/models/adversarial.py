"""Generators against discriminators: the training step of every method."""

import collections
import types

import keras
import tensorflow as tf

from munit_tf import keras_compat
from munit_tf.models.optimizers import Adam
from munit_tf.networks import graph_target
from munit_tf.networks.gradient_checkpointing import recomputing

Direction = collections.namedtuple("Direction", ["source", "target"])
DIRECTIONS = types.MappingProxyType({"a2b": Direction("a", "b"), "b2a": Direction("b", "a")})
Tensors = dict[str, tf.Tensor]


class AdversarialModel(keras.Model):
    """The training step: first the discriminators, then the generators, in both directions.

    A method defines its networks and, for one direction, its losses. This class runs both directions and
    sums their losses before it takes the gradient. A subclass sets `generators` and `discriminators` in its
    constructor (each a dict of layers that one optimizer trains), then calls `_build`. It defines
    `loss_weights`, `noise_shapes`, `make_fakes`, `discriminator_losses` and `generator_losses`.

    Attributes:
        config: the method's frozen options, a MethodConfig.
        directions: the names of the directions it translates in.
        loss_weights: {loss term: the attribute of the config that holds its weight}, such as
            {"recon_x": "recon_x_weight"}. A term of weight 0 is left out.
        image_pools: {domain: ImagePool}, state that training keeps and no optimizer trains.
        untrained_by: {generator term: name of a layer in the generators that learns nothing from it}.
        step: int64 tf.Variable, the number of training steps taken.
    """

    directions = tuple(DIRECTIONS)
    loss_weights = types.MappingProxyType({})
    image_pools = types.MappingProxyType({})
    untrained_by = types.MappingProxyType({})

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.step = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    # What a method defines.

    def noise_shapes(self, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """The standard normal noise that a batch must carry: {name: shape for one image}.

        It may depend on the images' height and width, in pixels.
        """
        raise NotImplementedError

    def prepare(self, batch: Tensors) -> dict:
        """The batch, with what both directions need of it. The generators' tape records it."""
        return batch

    def make_fakes(self, source: str, target: str, batch: dict) -> dict:
        """What both updates of a step use: fakes in the target's domain, and what comes with them.

        Args:
            source: the domain that is translated.
            target: the domain that it is translated to.
            batch: what `prepare` returned.
        """
        raise NotImplementedError

    def replay(self, target: str, batch: dict, fakes: dict) -> dict:
        """What the discriminators see in place of `fakes`, without gradient; it may use `image_pools`.

        It is called once in each training step and direction.
        """
        del target, batch
        return fakes

    def discriminator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """{"term/domain": scalar}; `fakes` is what `replay` returned."""
        raise NotImplementedError

    def generator_losses(self, source: str, target: str, batch: dict, fakes: dict) -> Tensors:
        """{"term/domain": scalar}; `fakes` is what `make_fakes` returned."""
        raise NotImplementedError

    # What all methods share.

    def loss_weight(self, term: str) -> float:
        """The weight of a loss term ("recon_x", "adv_g", ...) in `loss_d` or `loss_g`."""
        return getattr(self.config, self.loss_weights[term])

    @property
    def result_dtype(self):
        """The type of losses and results: the weights', which is float32 at least."""
        return tf.as_dtype(self.variable_dtype)

    def discriminate(self, x, name):
        """The maps of logits, one per scale, of one of the discriminators, usually named by its domain."""
        return [self._full(logits) for logits in self.discriminators[name](x, training=True)]

    def discriminate_all(self, batches, name):
        """The same for several batches of images: a list of lists of maps.

        They go through as one batch, except with spectral normalisation, which in the authors' code takes a
        step of its power iteration for each.
        """
        if self.config.dis_norm == "spectral":
            return [self.discriminate(x, name) for x in batches]
        return map_batched(lambda x: self.discriminate(x, name), batches)

    def compile(self, image_size=None, recompute=False, **options):
        """Makes both optimizers, and what else training needs.

        Args:
            image_size: (height, width) of training images, in pixels, for a method with an image pool.
            recompute: compute the results inside the networks' blocks again for the generators' gradient,
                instead of keeping them: less memory for more time.
            **options: keras.Model.compile's, such as `jit_compile`.
        """
        del image_size
        self._recompute = recompute
        super().compile(**{"jit_compile": False, **options})
        self.distribute_reduction_method = "first"  # Every replica's logs are the mean over all.
        self.discriminator_optimizer = self._make_optimizer(self.discriminators)
        self.generator_optimizer = self._make_optimizer(self.generators)

    # There is no control flow to convert, and tracing takes half as long.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch: Tensors) -> Tensors:
        """One update of the discriminators, then one of the generators against the new discriminators.

        Both use the same fakes, which are made once:

            batch -> fakes -> stop_gradient -> discriminators' losses -> their gradient -> their update
                       |                                                                      |
                       +--------------------> generators' losses  <------ new discriminators -+
                                                 -> their gradient, through the fakes -> their update

        Args:
            batch: {"a": images, "b": images, and one entry per item of `noise_shapes`}, N images each (of
                this replica).

        Returns:
            {name: scalar}: every loss term unweighted, and `loss_d`, `loss_g`, their weighted sums; means
            over the global batch.
        """
        missing = {"a", "b", *self.noise_shapes(0, 0)} - set(batch)
        if missing:
            raise ValueError(f"the batch lacks {sorted(missing)}; it has {sorted(batch)}")
        batch = {name: tf.cast(value, self.result_dtype) for name, value in batch.items()}
        # A batch that cannot be loaded must not count as a step, not even for the counters.
        with tf.control_dependencies(list(batch.values())):
            directions = [DIRECTIONS[name] for name in self.directions]
            tape = tf.GradientTape(persistent=bool(self.untrained_by))
            with tape, recomputing(self._recompute):
                batch = self.prepare(batch)
                fakes = [self.make_fakes(*direction, batch) for direction in directions]
            logs = self._update_discriminators(directions, batch, fakes)
            logs.update(self._update_generators(directions, batch, fakes, tape))
            self.step.assign_add(1)
        replica = tf.distribute.get_replica_context()
        return replica.all_reduce(tf.distribute.ReduceOp.MEAN, logs)

    def named_weights(self):
        """{name: tf.Variable} of every weight; the names are the same on every Keras."""
        return {
            **named_variables(self.generators, "generators"),
            **named_variables(self.discriminators, "discriminators"),
        }

    def named_state(self):
        """{name: tf.Variable} of all that training needs to go on: weights, optimisers, step."""
        pools = named_variables(self.image_pools, "image_pools")
        state = {"step": self.step, **self.named_weights(), **pools}
        for name, optimizer, networks in (
            ("discriminator_optimizer", self.discriminator_optimizer, self.discriminators),
            ("generator_optimizer", self.generator_optimizer, self.generators),
        ):
            variables = keras_compat.inner_optimizer(optimizer).named_variables(_trainable(networks))
            variables.update(keras_compat.loss_scaling_variables(optimizer))
            state.update({f"{name}/{key}": variable for key, variable in variables.items()})
        return state

    def _build(self):
        """Makes all weights by running the networks once; to be called last in a constructor."""
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

    def _update_discriminators(self, directions, batch, fakes):
        """One step of the discriminators; returns the terms and `loss_d`."""
        detached = tf.nest.map_structure(tf.stop_gradient, fakes)
        seen = [self.replay(direction.target, batch, each) for direction, each in zip(directions, detached)]
        optimizer, weights = self.discriminator_optimizer, _trainable(self.discriminators)
        with tf.GradientTape() as tape:
            terms = self._terms(self.discriminator_losses, directions, batch, seen)
            loss = self._weighted_sum(terms)
            scaled = self._scaled(loss, optimizer)
        gradients = tape.gradient(scaled, list(weights.values()))
        keras_compat.apply_gradients(optimizer, gradients, list(weights.values()))
        return {**terms, "loss_d": loss}

    def _update_generators(self, directions, batch, fakes, tape):
        """One step of the generators, with the tape that recorded `fakes`; returns the terms and `loss_g`."""
        optimizer, weights = self.generator_optimizer, _trainable(self.generators)
        gradients = {}
        with tape, recomputing(self._recompute):
            terms = self._terms(self.generator_losses, directions, batch, fakes)
        for excluded, names in self._by_excluded_terms(weights).items():
            with tape:
                learned = {name: loss for name, loss in terms.items() if _term(name) not in excluded}
                scaled = self._scaled(self._weighted_sum(learned), optimizer)
            gradients.update(zip(names, tape.gradient(scaled, [weights[name] for name in names])))
        keras_compat.apply_gradients(optimizer, [gradients[name] for name in weights], list(weights.values()))
        return {**terms, "loss_g": self._weighted_sum(terms)}

    def _make_optimizer(self, networks):
        config = self.config
        optimizer = Adam(
            self.step,
            learning_rate=config.learning_rate,
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
        """{name: term} of all directions; a term of weight 0 is left out.

        In a tf.function nothing computes what is left out, unless it shares a batch with what is not.
        """
        terms = {}
        for direction, each in zip(directions, fakes):
            losses = losses_of(*direction, batch, each)
            terms.update({name: loss for name, loss in losses.items() if self.loss_weight(_term(name))})
        return terms

    def _weighted_sum(self, terms):
        return tf.add_n([self.loss_weight(_term(name)) * loss for name, loss in terms.items()])

    def _scaled(self, loss, optimizer):
        """A loss as the optimizer expects it.

        Gradients are summed over replicas, so each takes its share: the sum is then the gradient of the mean
        over the global batch.
        """
        share = loss / tf.distribute.get_strategy().num_replicas_in_sync
        return keras_compat.scale_loss(optimizer, share)

    def _by_excluded_terms(self, weights):
        """{terms that they learn nothing from: names of weights}."""
        groups = collections.defaultdict(list)
        for name in weights:
            layers = name.split("/")
            groups[tuple(term for term, layer in self.untrained_by.items() if layer in layers)].append(name)
        return groups

    def _full(self, x):
        """A network's result in at least float32: the one place that casts."""
        return tf.cast(x, self.result_dtype)


def _term(name):
    """`recon_x/a` -> `recon_x`."""
    return name.split("/")[0]


def _trainable(networks):
    return {name: variable for name, variable in named_variables(networks).items() if variable.trainable}


def named_variables(node, prefix=""):
    """{name: tf.Variable} of all variables of a layer, or of a dict or list of layers.

    A name is the path of attributes, keys and indices that leads to the variable, such as
    `a/content_encoder/convs/0/conv/kernel`. Attributes that begin with an underscore are left out.
    """
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


def map_batched(function, *arguments):
    """What a function makes of several batches, which it sees as one, one after the other.

    Args:
        function: of one tensor for each of `arguments`; its result is a tensor or a list of tensors, in
            which each batch's part is where it is in the argument.
        *arguments: sequences of k tensors [N_1, ...], [N_2, ...], ...

    Returns:
        A list of k results.
    """
    counts = [graph_target.sizes(x)[0] for x in arguments[0]]
    result = function(*(tf.concat(list(batches), axis=0) for batches in arguments))
    parts = [tf.split(x, counts) for x in tf.nest.flatten(result)]
    return [tf.nest.pack_sequence_as(result, list(each)) for each in zip(*parts)]
