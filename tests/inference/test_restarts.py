"""An interrupted job resumes with the same files, and never mixes settings."""

import shutil
import signal
import time

import pytest
from forked import Command
from inference.run_folders import files, flags, make_images, make_run, run

from munit_tf import translate
from munit_tf.inference.padded_inference import PaddedInference


def test_a_second_run_skips_what_is_there_and_does_what_is_not(here, tmp_path, monkeypatch, capsys, eagerly):
    """Where a batch holds both, and, as on some devices, a result depends on how large its batch is."""
    decode = PaddedInference.decode

    def depending(self, encoded, rows, styles):
        return decode(self, encoded, rows, styles) * len(rows) / 50

    monkeypatch.setattr(PaddedInference, "decode", depending)
    out = tmp_path / "out"
    whole = run(here, out, "--num_styles=3", "--batch_size=20")
    (out / "image1_2.png").unlink()
    (out / "image3_styles.npy").unlink()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("image[024]_*")}
    assert run(here, out, "--num_styles=3", "--batch_size=20") == whole
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert "translated: 2 of 5 images; 3 were done before" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name, data", [("image0_1.png", b""), ("image0_0.png", b"garbage"), ("image4_styles.npy", b"")]
)
def test_damaged_results_are_made_again(here, three_styles, tmp_path, capsys, name, data):
    out = tmp_path / "out"
    shutil.copytree(here / "three", out)
    (out / name).write_bytes(data)
    (out / "grid.png").unlink()
    assert run(here, out, "--num_styles=3") == three_styles
    captured = capsys.readouterr()
    assert "translated: 1 of 5 images; 4 were done before" in captured.out
    assert f"{out / name} is damaged" in captured.err and "Traceback" not in captured.err


@pytest.mark.parametrize(
    "more, named",
    [
        (["--num_styles=3", "--seed=1"], "--seed=0, not with --seed=1"),
        (["--num_styles=4"], "--num_styles=3, not with --num_styles=4"),
        (["--num_styles=3", "--keep_size"], "not with --keep_size"),
        (["--num_styles=3", "--direction=b2a"], "--direction=a2b, not with --direction=b2a"),
        (["--num_styles=3", "--input=."], "--input="),
        (["--interpolate=3"], "--num_styles=3, not with --num_styles=2 --interpolate=3"),
    ],
)
def test_other_settings_are_refused(here, three_styles, tmp_path, monkeypatch, capsys, more, named):
    monkeypatch.chdir(make_images(tmp_path / "elsewhere", [(24, 24)]))
    assert translate.main(flags(here, here / "three", *more)) == 2
    assert named in capsys.readouterr().err.splitlines()[-1]
    assert files(here / "three") == three_styles


def test_other_weights_of_the_same_step_are_refused(here, three_styles, capsys):
    shutil.move(here / "run", here / "kept")
    try:
        make_run(here / "run", seed=1)
        assert translate.main(flags(here, here / "three", "--num_styles=3")) == 2
    finally:
        shutil.rmtree(here / "run")
        shutil.move(here / "kept", here / "run")
    assert "at step 7 (weights " in capsys.readouterr().err
    assert files(here / "three") == three_styles


def test_killed_half_way_it_goes_on_to_the_same_files(here, tmp_path):
    """A process of its own, ended by SIGKILL."""
    make_images(tmp_path / "in", [(24, 24), (30, 24)] * 60)
    more = ["--num_styles=3", "--batch_size=7"]
    argv = flags(here, tmp_path / "out", *more, input=tmp_path / "in")
    with Command("translate", *argv, cwd=tmp_path) as process:
        while len(list(tmp_path.glob("out/*_styles.npy"))) < 5:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = files(tmp_path / "out")
    assert sum(name.endswith(".npy") for name in left) < 120
    run(here, tmp_path / "whole", *more, input=tmp_path / "in")
    shutil.copy(tmp_path / "out" / "translate.json", tmp_path / "whole")
    whole = files(tmp_path / "whole")
    assert [name for name in left if not name.endswith(".tmp") and left[name] != whole[name]] == []
    run(here, tmp_path / "out", *more, input=tmp_path / "in")
    assert files(tmp_path / "out") == whole


def test_a_broken_image_is_named_and_the_finished_ones_stay(here, three_styles, tmp_path, capsys):
    shutil.copytree(here / "photos", tmp_path / "in")
    broken = tmp_path / "in" / "image3.png"
    broken.write_bytes(broken.read_bytes()[:200])
    more = flags(here, tmp_path / "out", "--num_styles=3", input=tmp_path / "in")
    assert translate.main(more) == 2
    assert (
        capsys.readouterr().err.splitlines()[-1].startswith(f"munit_tf.translate: {broken} cannot be decoded")
    )
    assert len(list((tmp_path / "out").glob("image[012]_*"))) == len(files(tmp_path / "out")) - 1 == 12
    shutil.copy(here / "photos" / "image3.png", broken)
    run(here, tmp_path / "out", "--num_styles=3", input=tmp_path / "in")
    assert "3 were done before" in capsys.readouterr().out
    done = files(tmp_path / "out")
    assert all(done[name] == three_styles[name] for name in done if name != "translate.json")
