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
        *("info_encoded", "info_prior", "kl", "posterior_std", "r1", *MEASURES),
    )
}
ADDITIONS = [
    "--ema_half_life=5",
    "--dis_learning_rate=4e-4",
    "--r1_weight=1",
    "--r1_every=2",
    "--augment=color,translation,cutout",
    "--init=orthogonal",
]


@pytest.mark.parametrize("method", LOGGED)
def test_one_step_and_one_more_in_a_new_process_are_two(method, tmp_path):
    make_photos(tmp_path / "photos", count=3)
    flags = ["--dataset=photos", f"--method={method}", *TINY, "--style_dim=2", *ADDITIONS]
    result = train(*flags, "--steps=2", cwd=tmp_path, eager=True)
    whole = tmp_path / "runs" / f"photos-{method}"
    assert "Traceback" not in result.stderr
    assert sorted(os.listdir(whole / "samples")) == [
        f"step_00000002_{name}.png" for name in ("a2b", "b2a", "guided_a2b", "guided_b2a")
    ]
    rows = log(whole)
    names = {f"{term}/{domain}" for term in LOGGED[method] for domain in "ab"}
    assert set(rows[0]) == names | {"step", "loss_d", "loss_g"}
    assert all(np.isfinite(value) for row in rows for value in row.values())

    train(*flags, "--steps=1", "--output=parts", cwd=tmp_path, eager=True)
    train("--flagfile=parts/run.flags", "--steps=2", "--resume=must", cwd=tmp_path, eager=True)
    assert_same_run(whole, tmp_path / "parts", 2)
    assert [row["r1/a"] > 0 for row in rows] == [False, True]
    averaged, newest = (munit_tf.load(whole, averaged=averaged) for averaged in (True, False))
    weights = newest.named_weights()
    for name, weight in averaged.named_weights().items():
        same = np.array_equal(weight.numpy(), weights[name].numpy())
        assert same == (name.startswith("discriminators/") or not weight.trainable), name


def test_bicyclegan_learns_from_pairs_in_one_direction(tmp_path):
    make_photos(tmp_path / "photos", count=3)
    sizes = [flag for flag in TINY if not flag.startswith(("--mlp_dim", "--num_res_blocks"))]
    flags = ["--dataset=photos", "--method=bicyclegan", *sizes, "--num_downsample=2", "--steps=1"]
    refused = train(*flags, cwd=tmp_path, check=False)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith(
        "munit_tf.train: --method=bicyclegan learns from pairs: add --paired"
    )
    assert os.listdir(tmp_path) == ["photos"]
    train(*flags, "--paired", cwd=tmp_path, eager=True)
    run = tmp_path / "runs" / "photos-bicyclegan"
    assert sorted(os.listdir(run / "samples")) == [
        f"step_00000001_{name}.png" for name in ("a2b", "guided_a2b")
    ]
    terms = ("adv_d", "adv_d_prior", "adv_g", "adv_g_prior", "recon_x", "recon_s", "kl", "posterior_std")
    (row,) = log(run)
    assert set(row) == {f"{name}/b" for name in (*terms, *MEASURES)} | {"step", "loss_d", "loss_g"}
