"""Calls of the same network that do not wait for each other, made as one: its weights are read once."""

import tensorflow as tf


def in_one_batch(function, *arguments):
    """What a function makes of several batches, which it sees as one, one after the other.

    Args:
        function: of one tensor [kN, ...] for each of `arguments`; its result is a tensor [kN, ...], or a
            list of them.
        *arguments: sequences of k tensors [N, ...].

    Returns:
        A list of k results.
    """
    count = len(arguments[0])
    result = function(*(tf.concat(list(batches), axis=0) for batches in arguments))
    parts = [tf.split(x, count) for x in tf.nest.flatten(result)]
    return [tf.nest.pack_sequence_as(result, list(each)) for each in zip(*parts)]
