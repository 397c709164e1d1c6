"""Style codes from the prior and from files."""

import re

import numpy as np
import pytest

from munit_tf.errors import InputError
from munit_tf.models import style_codes


def test_prior_is_the_same_for_ever():
    """Users keep seeds: TensorFlow 2.15 and 2.21 gave these numbers for seed 5."""
    expected = [[-2.0553784, 1.1581877, 0.19160862], [-0.1297789, 0.9068472, -0.7229962]]
    np.testing.assert_allclose(style_codes.sample_prior(2, 3, 5), expected, rtol=1e-6)


def test_read_gives_float32(tmp_path):
    path = tmp_path / "codes.npy"
    np.save(path, np.array([[1, 2], [3, 4]]))
    codes = style_codes.read(path, 2)
    assert codes.dtype == np.float32
    np.testing.assert_array_equal(codes, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "value, message",
    [
        (np.zeros((2, 3)), "must hold an array of numbers [number of styles, 2], not one of shape [2, 3]"),
        (np.zeros((0, 2)), "not one of shape [0, 2]"),
        (np.zeros(2), "not one of shape [2]"),
        (np.array([["a", "b"]]), "not of <U1"),
        (np.array([[1, np.nan]]), "row 0 has NaN or infinity"),
    ],
)
def test_other_arrays_are_refused(tmp_path, value, message):
    path = tmp_path / "codes.npy"
    np.save(path, value)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        style_codes.read(path, 2)
    assert str(caught.value).startswith(f"--style_from={path}: ")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "codes.npy"
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        style_codes.read(path, 2)
    for data in (b"", b"text", b"\x93NUMPY\x01\x00"):
        path.write_bytes(data)
        with pytest.raises(InputError, match="is not a .npy file, or is damaged"):
            style_codes.read(path, 2)
    with open(path, "wb") as file:
        np.savez(file, a=np.zeros((1, 2)), b=np.zeros((1, 2)))
    with pytest.raises(InputError, match="not several arrays"):
        style_codes.read(path, 2)
    np.save(path, np.array([[{}, {}]]), allow_pickle=True)
    with pytest.raises(InputError, match="is not a .npy file"):
        style_codes.read(path, 2)
