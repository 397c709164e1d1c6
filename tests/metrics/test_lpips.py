"""LPIPS against the lpips package's results, and its protocols."""

import numpy as np
import pytest
import tensorflow as tf
from reference import FOLDER

from munit_tf.errors import InputError
from munit_tf.metrics.lpips import LPIPS, PROTOCOLS, PairDistances, lpips_distance, mean_absolute_difference
from munit_tf.metrics.sampling import Block
from munit_tf.networks.pretrained import AlexNetFeatures, VGG16Features

ALEXNET = ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))
VGG16 = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


def seeded(shapes, seed):
    random = np.random.RandomState(seed)
    weights = []
    for k, c_in, c_out in shapes:
        kernel = (random.randn(k, k, c_in, c_out) * np.sqrt(2 / (k * k * c_in))).astype("float32")
        weights.append((kernel, (random.randn(c_out) * 0.1).astype("float32")))
    return weights


@pytest.fixture(scope="module")
def alexnet():
    """With seeded weights, as `lpips_alex.npz` was made."""
    return AlexNetFeatures(seeded(ALEXNET, 2012))


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(FOLDER / "lpips_alex.npz"))


@pytest.mark.parametrize("version", ["0.0", "0.1"])
def test_alexnet_is_the_packages(version, alexnet, golden):
    metric = LPIPS(alexnet, [golden[f"lin{i}_v{version}"] for i in range(5)], version)
    distances = metric(golden["img0"], golden["img1"])
    np.testing.assert_allclose(distances, golden[f"distance_v{version}"], rtol=1e-5)
    np.testing.assert_array_equal(metric(golden["img0"], golden["img0"]), 0)


def test_vgg16_taps_are_those_of_torchvision():
    """By NumPy, at one place of each map: relu1_2, 2_2, 3_3, 4_3 and 5_3, four pools between them."""
    channels = list(zip([3] * 13, VGG16, VGG16[1:]))
    weights = seeded(channels, 0)
    images = np.random.RandomState(1).uniform(-1, 1, (1, 32, 48, 3)).astype("float32")
    maps = VGG16Features(weights)(tf.constant(images))
    assert [tuple(x.shape) for x in maps] == [
        (1, 32, 48, 64),
        (1, 16, 24, 128),
        (1, 8, 12, 256),
        (1, 4, 6, 512),
        (1, 2, 3, 512),
    ]
    x, taps = images[0].astype("float64"), []
    for i, (kernel, bias) in enumerate(weights):
        if i in (2, 4, 7, 10):
            h, w, c = x.shape
            x = x.reshape(h // 2, 2, w // 2, 2, c).max(axis=(1, 3))
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(x, ((1, 1), (1, 1), (0, 0))), (3, 3), (0, 1)
        )
        x = np.maximum(
            np.einsum("hwcij,ijco->hwo", windows, kernel.astype("float64"), optimize=True) + bias, 0
        )
        taps.append(x)
    for tap, i in zip(maps, (1, 3, 6, 9, 12)):
        np.testing.assert_allclose(tap[0], taps[i], atol=1e-4 * np.abs(taps[i]).max())


def test_distance_by_hand():
    """Unit vectors (0.6, 0.8) and (1, 0) differ by (0.16, 0.64) squared; the other place by (1, 1)."""
    x = tf.constant([[[[3.0, 4.0], [0.0, 2.0]]]])
    y = tf.constant([[[[5.0, 0.0], [7.0, 0.0]]]])
    one_layer = (2 * 0.16 + 0.5 * 0.64 + 2 * 1 + 0.5 * 1) / 2
    weights = np.array([2.0, 0.5], "float32")
    distance = lpips_distance([x, x], [y, y], [weights, 3 * weights])
    np.testing.assert_allclose(distance, [4 * one_layer], rtol=1e-6)


def test_protocols_are_the_published_ones():
    munit, bicyclegan, stargan2 = (PROTOCOLS[name] for name in ("munit", "bicyclegan", "stargan2"))
    assert len(munit.pairs) == 19 and munit.num_outputs == 38
    assert sorted(i for pair in munit.pairs for i in pair) == list(range(38))  # No output is in two pairs.
    assert bicyclegan.num_outputs == 20
    assert bicyclegan.pairs == tuple(zip(range(19), range(1, 20)))
    assert stargan2.num_outputs == 10 and len(set(stargan2.pairs)) == 45
    assert all(i < j for i, j in stargan2.pairs)


def blocks(values, batch_size):
    """Blocks of 1x1 images with these gray values [inputs, outputs]; input i is 10 i."""
    num_inputs, num_outputs = values.shape
    places = np.arange(values.size)
    for start in range(0, values.size, batch_size):
        here = places[start : start + batch_size]
        i, k = here // num_outputs, here % num_outputs
        outputs = values[i, k].reshape(-1, 1, 1, 1) * np.ones(3)
        yield Block(i, k, 10.0 * i.reshape(-1, 1, 1, 1) * np.ones(3), outputs)


@pytest.mark.parametrize("batch_size", [1, 7, 100])
@pytest.mark.parametrize("name", ["munit", "bicyclegan", "stargan2"])
def test_pairs_of_outputs_of_the_same_input(name, batch_size):
    """Output k of input i is 10 i + k^2: distances by hand; outputs beyond the protocol's do not count."""
    protocol = PROTOCOLS[name]
    count = protocol.num_outputs
    squares = np.arange(count + 5.0) ** 2
    values = 10.0 * np.arange(3)[:, np.newaxis] + squares
    meter = PairDistances(mean_absolute_difference, protocol, batch_size)
    for block in blocks(values, batch_size):
        meter.add(block)
    expected = {
        "munit": sum(4 * i + 1 for i in range(19)) / 19,
        "bicyclegan": 19**2 / 19,
        "stargan2": sum(j * j - i * i for j in range(10) for i in range(j)) / 45,
    }[name]
    result = meter.result()
    assert result["between_outputs"] == pytest.approx(expected)
    assert result["pairs"] == 3 * len(protocol.pairs)
    assert result["input_to_output"] == pytest.approx(squares[:count].mean())
    assert result["outputs"] == 3 * count


def test_bad_input(alexnet, golden):
    linear = [golden[f"lin{i}_v0.0"] for i in range(5)]
    with pytest.raises(ValueError, match="must be one of 0.0, 0.1"):
        LPIPS(alexnet, linear, "0.2")
    small = np.zeros((1, 16, 64, 3), "float32")
    with pytest.raises(InputError, match="31 pixels or more; these are 16x64"):
        LPIPS(alexnet, linear, "0.0")(small, small)
    with pytest.raises(ValueError, match="not AlexNet's 5 convolutions"):
        AlexNetFeatures(seeded(ALEXNET, 0)[:4])
    # The smallest that passes.
    image = np.zeros((1, 31, 31, 3), "float32")
    assert LPIPS(alexnet, linear, "0.0")(image, image) == 0
