"""Fakes of earlier steps, for a discriminator to see again."""

import keras
import tensorflow as tf


class ImagePool(keras.layers.Layer):
    """Up to `capacity` images that a generator made before (Shrivastava et al. 2017).

    There is one pool for the batch over all replicas: each replica keeps the same copy of it, and sees of
    the images that come out those in the places of its own.

    Args:
        capacity: how many images.
        height, width: of an image, in pixels.
    """

    def __init__(self, capacity, height, width):
        super().__init__()
        # Every replica makes the same update from the same images, so none need be exchanged.
        options = dict(
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self.capacity = capacity
        self.images = tf.Variable(tf.zeros([capacity, height, width, 3], self.variable_dtype), **options)
        self.count = tf.Variable(0, dtype=tf.int64, **options)

    def exchange(self, images, draws):
        """Puts each image in; gives it back, or in its place an older one.

        One after the other: until the pool is full an image is kept and given back. Then half of them are
        given back and forgotten; the others change places with an image of the pool.

        Args:
            images: [N,H,W,3] of this replica.
            draws: [N,2] standard normal: the first decides whether, the second with which.

        Returns:
            [N,H,W,3].
        """
        replica = tf.distribute.get_replica_context()
        own, shape = tf.shape(images)[0], images.shape
        draws = tf.identity(draws)  # On the replica's device, by which they are gathered: a batch has none.
        images, draws = replica.all_gather(images, axis=0), replica.all_gather(draws, axis=0)
        uniform = tf.math.erfc(-draws[:, 1] / 2**0.5) / 2  # The normal distribution function.
        slots = tf.minimum(tf.cast(uniform * self.capacity, tf.int32), self.capacity - 1)
        swaps = draws[:, 0] > 0

        # Images go by their index among those of the pool and those that come in.
        def put(i, count, pool, given):
            is_full = count == self.capacity
            slot = tf.where(is_full, slots[i], count)
            incoming, old = self.capacity + i, pool[slot]
            is_kept = swaps[i] | ~is_full
            given = given.write(i, tf.where(is_kept & is_full, old, incoming))
            pool = tf.tensor_scatter_nd_update(pool, [[slot]], [tf.where(is_kept, incoming, old)])
            return i + 1, count + tf.cast(~is_full, tf.int32), pool, given

        total = tf.shape(images)[0]
        start = 0, tf.cast(self.count, tf.int32), tf.range(self.capacity), tf.TensorArray(tf.int32, total)
        _, count, pool, given = tf.while_loop(lambda i, *_: i < total, put, start)
        images = tf.concat([self.images, images], axis=0)
        self.images.assign(tf.gather(images, pool))
        self.count.assign(tf.cast(count, tf.int64))
        first = replica.replica_id_in_sync_group * own
        return tf.ensure_shape(tf.gather(images, given.stack()[first : first + own]), shape)
