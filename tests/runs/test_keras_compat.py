"""Run folders that either Keras wrote give the same outputs on this one, and train on alike."""

import numpy as np
import pytest
from make_keras_compat import results
from reference import FOLDER

import munit_tf
from munit_tf.runs import checkpoints, run_folder


@pytest.mark.parametrize("writer", ["keras2", "keras3"])
def test_run_folder_of_either_keras(writer):
    folder = run_folder.RunFolder(FOLDER / f"written_by_{writer}")
    expected = np.load(folder.path / "expected.npz")
    model = munit_tf.load(folder.path)
    model.compile()
    checkpoints.restore(model.named_state(), folder.newest_checkpoint())  # The optimizers, too.
    assert int(model.step) == 2
    found = results(model, (3, 4))
    assert set(found) == set(expected.files)
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-5, err_msg=name)
