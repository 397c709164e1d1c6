"""What a user can get wrong: one line, a status that is not 0, and nothing left behind."""

import os

import pytest
from PIL import Image
from training.processes import CYCLEGAN, TINY, log, make_photos, train

from munit_tf import train as command


@pytest.fixture
def here(tmp_path):
    make_photos(tmp_path / "photos", count=2)
    return tmp_path


def refused(*flags, cwd, left=("photos",)):
    """The message of a command that fails as it should."""
    result = train(*flags, cwd=cwd, check=False)
    assert result.returncode == 2, result.stdout
    return one_line(result.stderr, cwd, left)


def one_line(stderr, cwd, left=("photos",)):
    assert "Traceback" not in stderr
    lines = [line for line in stderr.splitlines() if line.startswith("munit_tf.train: ")]
    assert len(lines) == 1 and stderr.splitlines()[-1] == lines[0], stderr
    assert sorted(os.listdir(cwd)) == sorted(left)
    return lines[0]


@pytest.mark.parametrize(
    "flags, parts",
    [
        ([], ["--dataset", "--train_a"]),
        (["--dataset=sumer2winter"], ["sumer2winter", "summer2winter", "trainA"]),
        (["--dataset=photos", "--gen_dmi=3"], ["gen_dmi", "gen_dim"]),
        (["--dataset=photos", "--image_size=300"], ["--image_size=300x300", "--resize"]),
        (
            ["--dataset=photos", "--resize=66", "--image_size=66"],
            ["--image_size=66x66", "multiples of 4", "64"],
        ),
        (["--dataset=photos", "--image_size=32"], ["--image_size=32x32", "at least 64"]),
        (["--dataset=photos", *TINY, "--resume=must"], ["no checkpoint", "--resume=must"]),
        (["--flagfile=none.flags"], ["none.flags"]),
        (["--dataset=photos", *TINY, "--flagfile"], ["--flagfile needs the name of a file"]),
        (["--dataset=photos", *TINY, "--output=foo://bucket/run"], ["foo://bucket/run", "TensorFlow has"]),
        (
            ["--dataset=photos", *TINY, "--output=photos/trainA/000.jpg/run"],
            ["--output", "cannot be written"],
        ),
        (["--dataset=photos", *TINY, "--output=run[1]"], ["run[1]", "[ ] * ?"]),
        (["--dataset=photos", *TINY, "--output=photos"], ["photos holds other files and no run"]),
    ],
)
def test_flags(here, flags, parts, monkeypatch, capfd):
    """In this process: none of them gets as far as the networks."""
    monkeypatch.chdir(here)
    assert command.main(flags) == 2
    message = one_line(capfd.readouterr().err, here)
    assert all(part in message for part in parts), message


def test_missing_folder(here):
    (here / "photos" / "trainB").rename(here / "elsewhere")
    assert "trainB" in refused("--dataset=photos", *TINY, cwd=here, left=["photos", "elsewhere"])


def test_corrupt_image_among_a_hundred_is_named(here):
    """A pipeline thread finds it in the first epoch; with --unreadable=skip training continues."""
    for i in range(98):
        Image.new("RGB", (24, 20), (i, 0, 0)).save(here / "photos" / "trainA" / f"x{i:03d}.jpg")
    broken = here / "photos" / "trainA" / "x050.jpg"
    broken.write_bytes((here / "photos" / "trainA" / "000.jpg").read_bytes()[:-200])  # Its header is whole.
    flags = [*CYCLEGAN, "--log_every=1", "--checkpoint_every=1000", "--output=run"]
    result = train(*flags, "--steps=51", cwd=here, check=False)
    assert result.returncode == 2
    line = result.stderr.splitlines()[-1]
    assert line.startswith("munit_tf.train: ") and str(broken) in line
    assert "Traceback" not in result.stderr
    reached = log(here / "run")[-1]["step"]
    go_on = [f"--steps={reached + 1}", "--resume=must", "--unreadable=skip"]
    result = train(*flags, *go_on, cwd=here, eager=True)
    skipped = [line for line in result.stderr.splitlines() if line.startswith("skipped: ")]
    assert len(skipped) == 1 and str(broken) in skipped[0]
    assert [row["step"] for row in log(here / "run")] == list(range(1, reached + 2))


def test_photo_smaller_than_the_crop_is_named(here):
    Image.new("RGB", (20, 20)).save(here / "photos" / "testA" / "000.jpg")
    message = refused("--dataset=photos", *TINY, "--image_size=16x24", cwd=here)
    assert "testA" in message and "--image_size=16x24" in message


def test_what_headers_show_is_named_before_anything_is_made(here, monkeypatch, capfd):
    (here / "photos" / "trainB" / "x.jpg").write_text("text")
    monkeypatch.chdir(here)
    assert command.main(["--dataset=photos", *TINY]) == 2
    message = one_line(capfd.readouterr().err, here)
    assert "trainB/x.jpg is not an image" in message and "1 of 5 images" in message


def test_used_folder_is_not_touched_with_resume_never(here):
    (here / "run").mkdir()
    (here / "run" / "mine.txt").write_text("mine")
    message = refused(
        "--dataset=photos", *TINY, "--output=run", "--resume=never", cwd=here, left=["photos", "run"]
    )
    assert "--resume=never" in message
    assert os.listdir(here / "run") == ["mine.txt"]


def test_another_option_on_resume_is_named(here):
    train("--dataset=photos", *TINY, "--steps=1", "--output=run", cwd=here, eager=True)
    before = {path: path.stat().st_mtime_ns for path in (here / "run").rglob("*")}
    message = refused(
        "--dataset=photos", *TINY, "--steps=2", "--seed=5", "--output=run", cwd=here, left=["photos", "run"]
    )
    assert "--seed" in message
    assert {path: path.stat().st_mtime_ns for path in (here / "run").rglob("*")} == before


def test_no_network(here):
    message = refused("--dataset=summer2winter", f"--data_dir={here / 'data'}", cwd=here)
    assert "summer2winter" in message and "--dataset=shapes" in message and "trainA" in message


def test_perceptual_loss_without_weights(here):
    """Neither a network nor a file."""
    message = refused("--dataset=photos", *TINY, "--perceptual_weight=1", "--vgg_weights=no.h5", cwd=here)
    assert "--vgg_weights" in message
