"""Calls of the same network that do not wait for each other, made as one: its weights are read once."""

import tensorflow as tf

from munit_tf import tracing


def in_one_batch(function, *arguments):
    """What a function makes of several batches, which it sees as one, one after the other.

    Args:
        function: of one tensor for each of `arguments`; its result is a tensor or a list of tensors, in
            which each batch's part is where it is in the argument.
        *arguments: sequences of k tensors [N_1, ...], [N_2, ...], ...

    Returns:
        A list of k results.
    """
    counts = [tracing.sizes(x)[0] for x in arguments[0]]
    result = function(*(tf.concat(list(batches), axis=0) for batches in arguments))
    parts = [tf.split(x, counts) for x in tf.nest.flatten(result)]
    return [tf.nest.pack_sequence_as(result, list(each)) for each in zip(*parts)]
