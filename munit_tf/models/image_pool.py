"""A pool of fakes of earlier steps for the training of a discriminator."""

import keras
import tensorflow as tf


class ImagePool(keras.layers.Layer):
    """A pool of up to `capacity` earlier outputs of a generator (Shrivastava et al. 2017).

    All replicas share one pool. Each replica keeps an identical copy of it and returns the images for its own
    part of the global batch.

    Args:
        capacity: maximum number of images.
        height: height of an image, in pixels.
        width: width of an image, in pixels.
    """

    def __init__(self, capacity: int, height: int, width: int) -> None:
        super().__init__()
        # Every replica computes the same update from the same images, so no synchronization is needed.
        options = dict(
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self.capacity = capacity
        self.images = tf.Variable(tf.zeros([capacity, height, width, 3], self.variable_dtype), **options)
        self.count = tf.Variable(0, dtype=tf.int64, **options)

    def exchange(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Stores images and returns for each of them the image itself or an older one.

        Images are processed in order. Until the pool is full, an image is stored and returned. Then, with
        probability 1/2, an image is returned without storing it; otherwise it replaces a random image of the
        pool, which is returned.

        Args:
            images: [N,H,W,3], the images of this replica.
            draws: [N,2], standard normal; the first decides whether to replace, the second which image.

        Returns:
            [N,H,W,3].
        """
        replica = tf.distribute.get_replica_context()
        own, shape = tf.shape(images)[0], images.shape
        first = replica.replica_id_in_sync_group * own
        after = replica.num_replicas_in_sync * own - first - own

        def among_zeros(x):
            return tf.pad(x, [[first, after], *[[0, 0]] * (len(x.shape) - 1)])

        # The images and draws of all replicas. `all_gather` cannot be compiled by XLA for several GPUs.
        images, draws = replica.all_reduce("SUM", [among_zeros(images), among_zeros(draws)])
        uniform = tf.math.erfc(-draws[:, 1] / 2**0.5) / 2  # The normal distribution function.
        slots = tf.minimum(tf.cast(uniform * self.capacity, tf.int32), self.capacity - 1)
        swaps = draws[:, 0] > 0

        # The loop works on indices: first the images of the pool, then the new ones.
        def put(i, count, pool, returned):
            is_full = count == self.capacity
            slot = tf.where(is_full, slots[i], count)
            incoming, old = self.capacity + i, pool[slot]
            is_kept = swaps[i] | ~is_full
            returned = returned.write(i, tf.where(is_kept & is_full, old, incoming))
            pool = tf.tensor_scatter_nd_update(pool, [[slot]], [tf.where(is_kept, incoming, old)])
            return i + 1, count + tf.cast(~is_full, tf.int32), pool, returned

        total = tf.shape(images)[0]
        start = 0, tf.cast(self.count, tf.int32), tf.range(self.capacity), tf.TensorArray(tf.int32, total)
        _, count, pool, returned = tf.while_loop(lambda i, *_: i < total, put, start)
        images = tf.concat([self.images, images], axis=0)
        self.images.assign(tf.gather(images, pool))
        self.count.assign(tf.cast(count, tf.int64))
        return tf.ensure_shape(tf.gather(images, returned.stack()[first : first + own]), shape)
