"""`--init_from`: a run that starts with the weights of another one."""

import dataclasses

import numpy as np
import pytest
from training.processes import TINY, make_photos, state, train

from munit_tf.config.options import Options
from munit_tf.errors import InputError
from munit_tf.runs import loading
from munit_tf.runs.run_folder import RunFolder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("init_from")
    make_photos(folder / "photos")
    train(
        "--dataset=photos", *TINY, "--ema_half_life=5", "--steps=2", "--output=first", cwd=folder, eager=True
    )
    return folder


def options(folder, **changes):
    """The first run's options, with others for the model; and to start from it."""
    first = RunFolder(folder / "first").options()
    return Options(
        first.data,
        dataclasses.replace(first.train, init_from=str(folder / "first")),
        dataclasses.replace(first.model, **changes),
    )


def test_weights_are_those_of_the_other_run_averaged_where_it_averages(folder):
    new = options(folder, ema_half_life=0, r1_weight=1.0)
    model = loading.build_model(new)
    loading.init_from(model, new)
    saved = state(folder / "first", 2)
    for name, weight in model.named_weights().items():
        key = f"averages/{name}" if name.startswith("generators/") else name
        key = key.replace("/", ".S") + "/.ATTRIBUTES/VARIABLE_VALUE"
        np.testing.assert_array_equal(weight.numpy(), saved[key], err_msg=name)
    assert int(model.step) == 0


def test_what_does_not_fit_is_refused_by_name(folder):
    new = options(folder, gen_dim=8, num_scales=2)
    with pytest.raises(InputError) as refusal:
        loading.init_from(loading.build_model(new), new)
    assert "--gen_dim=4 --num_scales=1" in str(refusal.value)


def test_the_command_goes_on_at_another_size_with_a_new_optimizer(folder):
    flags = ["--dataset=photos", *TINY, "--resize=32", "--image_size=32", "--steps=1", "--output=second"]
    train(*flags, "--init_from=first", "--learning_rate=1e-9", cwd=folder, eager=True)
    first, second = state(folder / "first", 2), state(folder / "second", 1)
    key = "discriminators.Sa.Sscales.S0.S0.Sconv.Skernel/.ATTRIBUTES/VARIABLE_VALUE"
    np.testing.assert_allclose(second[key], first[key], atol=1e-8)
    assert second["generator_optimizer.Supdates/.ATTRIBUTES/VARIABLE_VALUE"] == 1
    # Resumed without the other run, which is read only once.
    (folder / "first").rename(folder / "moved")
    try:
        train("--flagfile=second/run.flags", "--steps=2", cwd=folder, eager=True)
    finally:
        (folder / "moved").rename(folder / "first")
    assert int(state(folder / "second", 2)["step/.ATTRIBUTES/VARIABLE_VALUE"]) == 2


def test_a_refusal_leaves_nothing_behind(folder):
    flags = ["--dataset=photos", *TINY, "--output=refused", "--num_scales=2"]
    result = train(*flags, "--init_from=first", cwd=folder, check=False)
    assert result.returncode == 2
    assert "--init_from" in result.stderr.splitlines()[-1] and "--num_scales=1" in result.stderr
    assert not (folder / "refused").exists()
