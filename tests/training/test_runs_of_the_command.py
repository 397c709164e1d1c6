"""Training as a user runs it: run folder, resume, repeat, signals."""

import os
import signal
import time

import numpy as np
import pytest
from forked import Command
from PIL import Image
from training.processes import TINY, assert_same_run, log, make_photos, state, train

import munit_tf


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    make_photos(folder / "photos")
    return folder


@pytest.fixture(scope="module")
def six_steps(folder):
    """An uninterrupted run of 6 steps."""
    result = train(
        "--dataset=photos",
        *TINY,
        "--steps=6",
        "--sample_every=4",
        "--checkpoint_every=3",
        "--output=six",
        cwd=folder,
    )
    return folder / "six", result


def test_run_folder_and_last_lines(six_steps):
    run, result = six_steps
    assert sorted(os.listdir(run)) == ["checkpoints", "log.jsonl", "run.flags", "samples", "tensorboard"]
    assert sorted(os.listdir(run / "samples")) == sorted(
        f"step_{step:08d}_{name}.png"
        for step in (4, 6)
        for name in ("a2b", "b2a", "guided_a2b", "guided_b2a")
    )
    assert sorted(os.listdir(run / "checkpoints")) == ["step-3", "step-6"]
    assert result.stdout.splitlines() == ["run folder: six", "open:       six/samples/step_00000006_a2b.png"]
    assert "6/6" in result.stderr and "Traceback" not in result.stderr


def test_log_has_every_loss_and_measure(six_steps):
    rows = log(six_steps[0])
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    terms = ("adv_d", "adv_g", "recon_x", "recon_s", "recon_c", "diversity", "style_mean", "style_std")
    assert set(rows[0]) == {"step", "loss_d", "loss_g"} | {f"{term}/{d}" for term in terms for d in "ab"}
    assert all(np.isfinite(value) for row in rows for value in row.values())


def test_tensorboard_has_scalars_and_pictures_at_our_steps(six_steps):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(six_steps[0] / "tensorboard"), size_guidance={"tensors": 0}).Reload()
    tags = events.Tags()["tensors"]
    assert {"loss_g", "recon_x/a", "diversity/b", "samples/a2b", "samples/guided_b2a"} <= set(tags)
    assert [event.step for event in events.Tensors("loss_g")] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in events.Tensors("samples/a2b")] == [4, 6]


def test_run_flags_repeat_a_run_bit_for_bit_in_one_process_and_another(folder, six_steps):
    """Three steps and three more are six, whenever samples and checkpoints are written."""
    flags = [f"--flagfile={six_steps[0]}/run.flags", "--output=three"]
    train(*flags, "--steps=3", "--sample_every=1000", "--checkpoint_every=1000", cwd=folder)
    with open(folder / "three" / "log.jsonl", "a") as file:
        file.write('{"step": 4, "loss_g": 0.0}\n')  # As left by a process that died before its checkpoint.
    train(*flags, "--resume=must", cwd=folder)
    assert_same_run(six_steps[0], folder / "three", 6)
    assert "--steps=6" in (folder / "three" / "run.flags").read_text()


def test_load_gives_the_trained_model(six_steps):
    model = munit_tf.load(six_steps[0])
    saved = state(six_steps[0], 6)
    weights = model.named_weights()
    for name, variable in weights.items():
        key = name.replace("/", ".S") + "/.ATTRIBUTES/VARIABLE_VALUE"
        np.testing.assert_array_equal(variable.numpy(), saved[key])
    assert int(model.step) == 6
    images = np.zeros((1, 16, 16, 3), "float32")
    content, style = model.encode(images, "a")
    np.testing.assert_array_equal(
        model.decode(content, style, "b").numpy(), model.translate(images, "a2b", style=style).numpy()
    )


def test_a_finished_run_says_so_and_changes_nothing(folder, six_steps):
    before = {path: path.stat().st_mtime_ns for path in six_steps[0].rglob("*")}
    result = train("--dataset=photos", *TINY, "--steps=6", "--output=six", cwd=folder)
    assert "is at step 6 already" in result.stderr
    assert result.stdout.splitlines()[0] == "run folder: six"
    assert {path: path.stat().st_mtime_ns for path in six_steps[0].rglob("*")} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_finish_the_step_and_write_a_checkpoint(folder, number):
    output = folder / f"stopped-{number}"
    flags = ["--dataset=photos", *TINY, "--steps=100000", f"--output={output}"]
    flags += ["--sample_every=1", "--checkpoint_every=1"]  # What a signal most likely falls into.
    with Command("train", *flags, cwd=folder, eager=True) as process:
        while not (output / "log.jsonl").exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait() == 128 + number
        errors = process.stderr
    assert f"--flagfile={output.relative_to(folder)}/run.flags" in errors
    assert "Traceback" not in errors
    last = log(output)[-1]["step"]
    assert int(state(output, last)["step/.ATTRIBUTES/VARIABLE_VALUE"]) == last


def test_mirrored_strategy_and_a_folder_with_odd_signs(folder):
    """It trains, resumes and loads, with averaged weights; the path has a space and an umlaut."""
    flags = ["--dataset=photos", *TINY, "--strategy=mirrored", "--ema_half_life=5", "--output=süß 1"]
    train(*flags, "--steps=1", cwd=folder, eager=True)
    train(*flags, "--steps=2", "--resume=must", cwd=folder, eager=True)
    assert [row["step"] for row in log(folder / "süß 1")] == [1, 2]
    assert int(munit_tf.load(folder / "süß 1").step) == 2


def test_moved_run_folder_goes_on_where_it_is(folder):
    """Although it was started with `--resume=never`."""
    train("--dataset=photos", *TINY, "--steps=1", "--output=old", "--resume=never", cwd=folder, eager=True)
    (folder / "old").rename(folder / "new")
    train("--flagfile=new/run.flags", "--steps=2", cwd=folder, eager=True)
    assert [row["step"] for row in log(folder / "new")] == [1, 2]
    assert not (folder / "old").exists()


def test_grids_show_photos_upright_unstretched_and_in_their_colors(folder, tmp_path):
    """The first column of a grid is the test image: here red above blue, twice as wide as high."""
    photo = Image.new("RGB", (40, 20), (200, 30, 30))
    photo.paste((30, 30, 200), (0, 10, 40, 20))
    for split in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / "photos" / split).mkdir(parents=True)
        for i in range(2):
            photo.save(tmp_path / "photos" / split / f"{i}.png")
    flags = ["--dataset=photos", *TINY, "--image_size=16x32", "--steps=1", "--output=run", "--seed=2"]
    train(*flags, cwd=tmp_path, eager=True)
    grid = np.asarray(Image.open(tmp_path / "run" / "samples" / "step_00000001_a2b.png"))
    zoom = 6  # 16 pixels are enlarged to 96.
    cell = grid[26 : 26 + 16 * zoom, 4 : 4 + 32 * zoom]
    assert (cell[: 8 * zoom] == (200, 30, 30)).all()
    assert (cell[8 * zoom :] == (30, 30, 200)).all()
