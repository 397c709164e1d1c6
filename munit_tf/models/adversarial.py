"""Generators against discriminators: the training step of every method."""

import collections
import types

import keras
import tensorflow as tf

from munit_tf import compat, tracing
from munit_tf.models.batching import in_one_batch
from munit_tf.models.naming import named_variables
from munit_tf.models.optimizers import Adam
from munit_tf.networks import counting

Direction = collections.namedtuple("Direction", ["source", "target"])
DIRECTIONS = types.MappingProxyType({"a2b": Direction("a", "b"), "b2a": Direction("b", "a")})


class AdversarialModel(keras.Model):
    """The step: discriminators first, then generators, in both directions, with the only gradient tape.

    A method states its networks and, for one direction, its losses; this class runs the directions and
    sums before the gradient. A subclass sets in its constructor `generators` and `discriminators` (each a
    dict of layers that one optimiser trains), then calls `_build`, and defines `noise`, `weight_of_term`,
    `generate`, `discriminator_losses` and `generator_losses`.

    Attributes:
        config: the method's frozen options, a MethodConfig.
        directions: the names of the directions it translates in.
        memory: a dict of layers whose variables training keeps besides weights, and no optimiser trains.
        untrained_by: {generators' term: name of a layer, wherever among the generators, that learns
            nothing from it}.
        step: int64 tf.Variable, training steps taken.
    """

    directions = tuple(DIRECTIONS)
    memory = types.MappingProxyType({})
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

    # What a method states.

    def noise(self, height, width):
        """{name: shape of one image's} of the standard normal noise that a batch must carry.

        It may depend on the images' height and width, in pixels.
        """
        raise NotImplementedError

    def weight_of_term(self, term):
        """The weight of a loss term ("recon_x", "adv_g", ...) in `loss_d` or `loss_g`."""
        raise NotImplementedError

    def prepare(self, batch):
        """`train_step`'s batch, and what both directions need of it, under the generators' tape."""
        return batch

    def generate(self, source, target, batch):
        """What both updates of a step share, as a dict; `batch` is what `prepare` returned."""
        raise NotImplementedError

    def recall(self, target, batch, made):
        """What the discriminators see in place of `made`, without gradient; it may use `memory`.

        It is called once a step for each direction, and never but in training.
        """
        del target, batch
        return made

    def discriminator_losses(self, source, target, batch, made):
        """{"term/domain": scalar}; `made` is what `recall` returned."""
        raise NotImplementedError

    def generator_losses(self, source, target, batch, made):
        """{"term/domain": scalar}; `made` is what `generate` returned."""
        raise NotImplementedError

    # What all methods share.

    @property
    def result_dtype(self):
        """The type of losses and results: the weights', which is float32 at least."""
        return tf.as_dtype(self.variable_dtype)

    def discriminate(self, x, name):
        """The maps of logits, one per scale, of one of the discriminators; most are named by their domain."""
        return [self._full(logits) for logits in self.discriminators[name](x, training=True)]

    def discriminate_all(self, batches, name):
        """The same of several batches of images: a list of lists of maps.

        They are seen as one, but with spectral normalisation, which as the authors have it takes a step of
        its power iteration for each.
        """
        if self.config.dis_norm == "spectral":
            return [self.discriminate(x, name) for x in batches]
        return in_one_batch(lambda x: self.discriminate(x, name), batches)

    def compile(self, image_size=None, recompute=False, **options):
        """Makes both Adams, and what else training needs.

        Args:
            image_size: (height, width) of training images, in pixels, for a method that remembers some.
            recompute: keep no results inside the networks' blocks for the generators' gradient, but make
                them again.
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
    def train_step(self, batch):
        """One update of the discriminators, then one of the generators against the new discriminators.

        Both use the same fakes, made once: the discriminators see them without gradient, and the
        generators' tape goes on from them.

        Args:
            batch: {"a": images, "b": images, and one entry per item of `noise`}, N images each (of
                this replica).

        Returns:
            {name: scalar}: every loss term unweighted, and `loss_d`, `loss_g`, their weighted sums; means
            over the global batch.
        """
        missing = {"a", "b", *self.noise(0, 0)} - set(batch)
        if missing:
            raise ValueError(f"the batch lacks {sorted(missing)}; it has {sorted(batch)}")
        batch = {name: tf.cast(value, self.result_dtype) for name, value in batch.items()}
        # A batch that cannot be loaded must not count as a step, not even for the counters.
        with tf.control_dependencies(list(batch.values())):
            logs = self._update_both(batch)
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
        state = {"step": self.step, **self.named_weights(), **named_variables(self.memory, "memory")}
        for name, optimizer, networks in (
            ("discriminator_optimizer", self.discriminator_optimizer, self.discriminators),
            ("generator_optimizer", self.generator_optimizer, self.generators),
        ):
            variables = compat.inner_optimizer(optimizer).named_variables(_trainable(networks))
            variables.update(compat.loss_scaling_variables(optimizer))
            state.update({f"{name}/{key}": variable for key, variable in variables.items()})
        return state

    def losses_of_zeros(self, count, height, width):
        """Runs all networks once, on images and noise of zeros.

        Args:
            count: images of each domain.
            height: of the images, in pixels.
            width: the same.

        Returns:
            (the discriminators' losses, the generators'), each {"term/domain": scalar}.
        """
        images = tf.zeros([count, height, width, 3], self.result_dtype)
        shapes = self.noise(height, width)
        noise = {name: tf.zeros([count, *shape], self.result_dtype) for name, shape in shapes.items()}
        batch = self.prepare({"a": images, "b": images, **noise})
        of_discriminators, of_generators = {}, {}
        for name in self.directions:
            direction = DIRECTIONS[name]
            made = self.generate(*direction, batch)
            of_discriminators.update(self.discriminator_losses(*direction, batch, made))
            of_generators.update(self.generator_losses(*direction, batch, made))
        return of_discriminators, of_generators

    def _build(self):
        """Makes all weights by running the networks once; to be called last in a constructor."""
        self.built = True
        if not counting.is_on():
            self.losses_of_zeros(1, *[self.config.smallest_size] * 2)

    def _update_both(self, batch):
        directions = [DIRECTIONS[name] for name in self.directions]

        generator_tape = tf.GradientTape(persistent=bool(self.untrained_by))
        with generator_tape, tracing.recomputing(self._recompute):
            batch = self.prepare(batch)
            made = [self.generate(*direction, batch) for direction in directions]
        still = tf.nest.map_structure(tf.stop_gradient, made)
        seen = [self.recall(direction.target, batch, each) for direction, each in zip(directions, still)]

        with tf.GradientTape() as tape:
            terms_d = self._terms(self.discriminator_losses, directions, batch, seen)
        loss_d = self._update(self.discriminator_optimizer, tape, terms_d, self.discriminators)
        with generator_tape, tracing.recomputing(self._recompute):
            terms_g = self._terms(self.generator_losses, directions, batch, made)
        loss_g = self._update(self.generator_optimizer, generator_tape, terms_g, self.generators)
        return {**terms_d, **terms_g, "loss_d": loss_d, "loss_g": loss_g}

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
            optimizer = compat.with_loss_scaling(optimizer)
        optimizer.build(list(_trainable(networks).values()))
        return optimizer

    def _terms(self, losses_of, directions, batch, made):
        """{name: term} of all directions; a term of weight 0 is left out.

        In a tf.function nothing computes what is left out, unless it shares a batch with what is not.
        """
        terms = {}
        for direction, result in zip(directions, made):
            losses = losses_of(*direction, batch, result)
            terms.update({name: loss for name, loss in losses.items() if self.weight_of_term(_term(name))})
        return terms

    def _sum(self, terms):
        """The weighted sum of terms."""
        return tf.add_n([self.weight_of_term(_term(name)) * loss for name, loss in terms.items()])

    def _update(self, optimizer, tape, terms, networks):
        """One step of an optimiser; returns the weighted sum of the terms that `tape` has recorded."""
        gradients, weights = {}, _trainable(networks)
        for spared, names in self._by_spared_terms(weights).items():
            with tape:
                loss = self._sum({name: term for name, term in terms.items() if _term(name) not in spared})
                # Gradients are summed over replicas; their sum is that of the mean over the global batch.
                share = loss / tf.distribute.get_strategy().num_replicas_in_sync
                scaled = compat.scale_loss(optimizer, share)
            gradients.update(zip(names, tape.gradient(scaled, [weights[name] for name in names])))
        compat.apply_gradients(optimizer, [gradients[name] for name in weights], list(weights.values()))
        return self._sum(terms)

    def _by_spared_terms(self, weights):
        """{terms that they learn nothing from: names of weights}."""
        groups = collections.defaultdict(list)
        for name in weights:
            layers = name.split("/")
            groups[tuple(term for term, layer in self.untrained_by.items() if layer in layers)].append(name)
        return groups

    def _full(self, x):
        """A network's result, out of half precision: the one place that casts."""
        return tf.cast(x, self.result_dtype)


def _term(name):
    """`recon_x/a` -> `recon_x`."""
    return name.split("/")[0]


def _trainable(networks):
    return {name: variable for name, variable in named_variables(networks).items() if variable.trainable}
