"""Features that are kept on disk are those of the same images and network."""

import numpy as np
import pytest

from munit_tf.metrics.prediction_cache import PredictionCache


class Network:
    """Features are the mean color; it counts the images that it sees."""

    classes = ("a", "b")

    def __init__(self, sha256="1", resizing=None):
        self.provenance = {"sha256": sha256}
        self.resizing = resizing
        self.seen = 0

    def __call__(self, images):
        self.seen += len(images)
        features = images.mean(axis=(1, 2))
        return features, np.stack([features[:, 0], 1 - features[:, 0]], axis=1)


@pytest.fixture
def images():
    return np.random.RandomState(0).rand(7, 4, 4, 3).astype("float32")


def predict(folder, network, images, warn=pytest.fail, batch_size=3):
    cache = PredictionCache(folder, warn)
    return cache.predict(network, lambda indices: images[indices], len(images), batch_size)


def test_the_second_evaluation_reads_what_the_first_has_written(images, tmp_path):
    network = Network()
    first = predict(tmp_path / "new" / "folder", network, images)
    np.testing.assert_array_equal(first[0], images.mean(axis=(1, 2)))
    again = Network()
    for found, expected in zip(predict(tmp_path / "new" / "folder", again, images, batch_size=2), first):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    assert (network.seen, again.seen) == (7, 0)


def test_other_images_and_networks_are_computed(images, tmp_path):
    predict(tmp_path, Network(), images)
    changed = images.copy()
    changed[6, 3, 3, 2] += 1e-6
    for other, network in (
        (changed, Network()),
        (images[::-1], Network()),
        (images[:6], Network()),
        (images.reshape(7, 2, 8, 3), Network()),
        (images, Network(sha256="2")),
        (images, Network(resizing="clean-fid")),
    ):
        np.testing.assert_array_equal(predict(tmp_path, network, other)[0], other.mean(axis=(1, 2)))
        assert network.seen == len(other)
    assert len(list(tmp_path.iterdir())) == 7


@pytest.mark.parametrize("content", [b"", b"damaged", None])
def test_a_damaged_file_is_computed_again(images, tmp_path, content):
    first, warnings = predict(tmp_path, Network(), images), []
    (path,) = tmp_path.iterdir()
    if content is None:
        np.savez(path, features=first[0][:3])  # Of other images.
    else:
        path.write_bytes(content)
    network = Network()
    found = predict(tmp_path, network, images, warnings.append)
    np.testing.assert_array_equal(found[1], first[1])
    assert network.seen == 7 and len(warnings) == 1 and f"{path} is damaged" in warnings[0]
    assert predict(tmp_path, Network(), images)[0].shape == (7, 3)


def test_without_a_folder_or_where_it_cannot_be_written(images, tmp_path):
    (tmp_path / "file").write_text("")
    warnings = []
    assert predict(tmp_path / "file" / "cache", Network(), images, warnings.append)[0].shape == (7, 3)
    assert len(warnings) == 1 and "cannot be kept" in warnings[0]
    assert predict(None, Network(), images)[0].shape == (7, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
