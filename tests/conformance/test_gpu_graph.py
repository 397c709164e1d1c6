"""The graph that is traced where there is a GPU: its operations have kernels, its results are the CPU's."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import ADDITIONS, fewer_layers, tiny, tiny_batch
from tensorflow.python.framework import kernels

import munit_tf
from munit_tf.networks import graph_target
from munit_tf.networks.conv2d import conv2d

HALF = tf.bfloat16.as_datatype_enum
PRECISIONS = [tf.bfloat16, tf.float16, tf.float32]


@pytest.fixture
def for_gpu(monkeypatch):
    monkeypatch.setattr(graph_target, "is_for_cpu", lambda: False)


@functools.cache
def gpu_kernels(op):
    """[{attribute: allowed types}] of the kernels of an operation that run on a GPU."""
    found = kernels.get_registered_kernels_for_op(op).kernel
    return [
        {each.name: set(each.allowed_values.list.type) for each in kernel.constraint}
        for kernel in found
        if kernel.device_type in ("GPU", "DEFAULT")
    ]


def has_gpu_kernel(op, types):
    return any(
        all(name not in types or types[name] in allowed for name, allowed in constraints.items())
        for constraints in gpu_kernels(op)
    )


@pytest.mark.parametrize("method", sorted(munit_tf.METHODS))
def test_every_operation_of_a_step_has_a_gpu_kernel_in_every_precision(method, for_gpu, policy):
    """Where one has none, the CPU computes it, and its inputs and outputs cross the bus.

    More layers have the same operations more often.
    """
    policy("mixed_bfloat16")
    model = tiny(method, **fewer_layers(method), **ADDITIONS, dis_norm="spectral")
    step = tf.function(model.train_step, autograph=False)
    graph = step.get_concrete_function(tiny_batch(model, 2)).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert len(nodes) > 1000
    operations = {
        (node.op, *((k, value.type) for k, value in node.attr.items() if value.WhichOneof("value") == "type"))
        for node in nodes
    }
    lacking = set()
    for op, *types in operations:
        for precision in PRECISIONS:
            as_there = {k: precision.as_datatype_enum if t == HALF else t for k, t in types}
            if not has_gpu_kernel(op, as_there):
                lacking.add((op, precision.name))
    assert lacking == set()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "size, options",
    [
        (3, dict(padding=1)),
        (7, dict(padding=3)),
        (4, dict(stride=2, padding=1)),
        (3, dict(padding=1, upsample=True)),
        (5, dict(padding=2, upsample=True)),
    ],
)
def test_a_convolution_gives_what_it_gives_for_a_cpu(count, size, options, monkeypatch):
    """Results and gradients, within 2e-5 of their standard deviation."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((count, 24, 20, 64)), tf.float32)
    kernel = tf.constant(rng.standard_normal((size, size, 64, 3 if size == 7 else 64)) / 40, tf.float32)
    results = []
    for is_for_cpu in (True, False):
        monkeypatch.setattr(graph_target, "is_for_cpu", lambda is_for_cpu=is_for_cpu: is_for_cpu)

        @tf.function(autograph=False)
        def run():
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                y = conv2d(x, kernel, **options)
                loss = tf.reduce_sum(y**2)
            return [y, *tape.gradient(loss, [x, kernel])]

        graph = run.get_concrete_function().graph
        results.append(({each.type for each in graph.get_operations()}, run()))
    (cpu_operations, expected), (gpu_operations, got) = results
    for result, wanted in zip(got, expected):
        np.testing.assert_allclose(result, wanted, atol=2e-5 * np.std(wanted))
    if options != dict(stride=2, padding=1):
        assert cpu_operations != gpu_operations


def test_a_step_gives_what_it_gives_for_a_cpu(monkeypatch, policy):
    policy("float64")
    losses = []
    for is_for_cpu in (True, False):
        monkeypatch.setattr(graph_target, "is_for_cpu", lambda is_for_cpu=is_for_cpu: is_for_cpu)
        keras.utils.set_random_seed(7)
        model = tiny("munit", num_scales=1, num_dis_layers=1)
        model.train_step(tiny_batch(model, 2))
        losses.append({name: float(value) for name, value in model.train_step(tiny_batch(model, 2)).items()})
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)
