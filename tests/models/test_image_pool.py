"""The pool against a plain list, on one replica and on two, and over a resume."""

import math

import numpy as np
import pytest
import tensorflow as tf
from conformance.methods import fewer_layers, tiny, tiny_batch
from tensorflow.python.distribute import mirrored_run, mirrored_strategy

from munit_tf.models.image_pool import ImagePool

CAPACITY, STEPS, BATCH = 3, 6, 4


@pytest.fixture(scope="module")
def data():
    """(images, draws) of each step; an image is told by its number."""
    numbers = np.arange(STEPS * BATCH, dtype="float32").reshape(STEPS, BATCH, 1, 1, 1)
    draws = np.random.default_rng(0).standard_normal((STEPS, BATCH, 2)).astype("float32")
    return np.broadcast_to(numbers, (STEPS, BATCH, 2, 3, 3)), draws


@pytest.fixture(scope="module")
def expected(data):
    """The images' numbers, as a loop over a list gives them."""
    pool, given = [], []
    for number, (decides, which) in enumerate(data[1].reshape(-1, 2)):
        slot = min(int((1 + math.erf(which / math.sqrt(2))) / 2 * CAPACITY), CAPACITY - 1)
        if len(pool) < CAPACITY:
            pool.append(number)
            given.append(number)
        elif decides > 0:
            given.append(pool[slot])
            pool[slot] = number
        else:
            given.append(number)
    return np.array(given).reshape(STEPS, BATCH)


def shown(pool, data, steps):
    return np.array([pool.exchange(data[0][k], data[1][k]).numpy()[:, 0, 0, 0] for k in steps])


def test_it_is_a_list_that_images_go_through(data, expected):
    assert (expected != np.arange(STEPS * BATCH).reshape(STEPS, BATCH)).sum() > 5
    np.testing.assert_array_equal(shown(ImagePool(CAPACITY, 2, 3), data, range(STEPS)), expected)


def test_two_replicas_share_one_pool(data, expected, mirrored):
    with mirrored.scope():
        pool = ImagePool(CAPACITY, 2, 3)
    exchange = tf.function(lambda *inputs: mirrored.run(pool.exchange, args=inputs))
    half = BATCH // 2

    def share(values):
        return mirrored.experimental_distribute_values_from_function(
            lambda context: tf.constant(values[context.replica_id_in_sync_group * half :][:half])
        )

    for images, draws, numbers in zip(*data, expected):
        parts = mirrored.experimental_local_results(exchange(share(images), share(draws)))
        np.testing.assert_array_equal(np.concatenate(parts)[:, 0, 0, 0], numbers)


def test_it_goes_on_where_a_checkpoint_left_it(data, expected, tmp_path):
    pool, other = ImagePool(CAPACITY, 2, 3), ImagePool(CAPACITY, 2, 3)
    shown(pool, data, range(3))
    path = tf.train.Checkpoint(images=pool.images, count=pool.count).save(str(tmp_path / "pool"))
    tf.train.Checkpoint(images=other.images, count=other.count).restore(path)
    np.testing.assert_array_equal(shown(other, data, range(3, STEPS)), expected[3:])


def test_a_step_with_a_pool_can_be_compiled_for_several_gpus(mirrored, monkeypatch):
    """It is traced only. On GPUs, unlike on CPUs, each replica has a compiled function of its own."""
    with mirrored.scope():
        model = tiny("cyclegan", **fewer_layers("cyclegan"))
    batch = tiny_batch(model, 1)
    compiled = tf.function(model.train_step, autograph=False, jit_compile=True)
    step = tf.function(lambda batch: mirrored.run(compiled, args=(batch,)), autograph=False)
    for module in (mirrored_run, mirrored_strategy):
        monkeypatch.setattr(module, "_is_gpu_device", lambda device: True)
    operations = step.get_concrete_function(batch).graph.get_operations()
    assert sum(each.get_attr("_XlaMustCompile") for each in operations if "Call" in each.type) == 2
