"""Other methods than MUNIT through the command: their logs, and resume bit for bit."""

import os

import numpy as np
import pytest
from training.processes import TINY, assert_same_run, log, make_photos, train

import munit_tf

MEASURES = ("diversity", "style_mean", "style_std")
LOGGED = {
    "miso": (
        *("adv_d", "adv_d_prior", "adv_g", "adv_g_prior", "cycle_x", "cycle_x_prior"),
        *("info_encoded", "info_prior", "kl", "posterior_std", *MEASURES),
    )
}


@pytest.mark.parametrize("method", LOGGED)
def test_one_step_and_one_more_in_a_new_process_are_two(method, tmp_path):
    make_photos(tmp_path / "photos", count=3)
    flags = ["--dataset=photos", f"--method={method}", *TINY, "--style_dim=2"]
    result = train(*flags, "--steps=2", cwd=tmp_path)
    whole = tmp_path / "runs" / f"photos-{method}"
    assert "Traceback" not in result.stderr
    assert sorted(os.listdir(whole / "samples")) == [
        f"step_00000002_{name}.png" for name in ("a2b", "b2a", "guided_a2b", "guided_b2a")
    ]
    rows = log(whole)
    names = {f"{term}/{domain}" for term in LOGGED[method] for domain in "ab"}
    assert set(rows[0]) == names | {"step", "loss_d", "loss_g"}
    assert all(np.isfinite(value) for row in rows for value in row.values())

    train(*flags, "--steps=1", "--output=parts", cwd=tmp_path)
    train("--flagfile=parts/run.flags", "--steps=2", "--resume=must", cwd=tmp_path)
    assert_same_run(whole, tmp_path / "parts", 2)
    assert munit_tf.load(whole).style_dim == 2
