"""The command trains on data sets of the registry: a prepared TFDS folder, a pix2pix archive."""

import io
import os
import tarfile

import numpy as np
import pytest
import tensorflow_datasets
from PIL import Image
from training.processes import TINY, log, make_photos, train


@pytest.fixture
def prepared(tmp_path):
    """A data_dir with the cycle_gan set that TFDS itself prepared from photos made here."""
    make_photos(tmp_path / "unpacked" / "summer2winter_yosemite", count=3)
    data_dir = tmp_path / "tfds"
    with pytest.MonkeyPatch.context() as patch:
        manager = tensorflow_datasets.download.DownloadManager
        patch.setattr(manager, "download_and_extract", lambda self, url: str(tmp_path / "unpacked"))
        builder = tensorflow_datasets.builder("cycle_gan/summer2winter_yosemite", data_dir=str(data_dir))
        builder.download_and_prepare()
    return data_dir


def test_prepared_tfds_folder(prepared, tmp_path):
    train("--dataset=summer2winter", *TINY, "--steps=2", f"--data_dir={prepared}", cwd=tmp_path, eager=True)
    run = tmp_path / "runs" / "summer2winter-munit"
    assert [row["step"] for row in log(run)] == [1, 2]
    assert "cycle_x/a" in log(run)[0]  # flags/summer2winter.flags was used.


def archive():
    """A tar.gz of side-by-side pairs, 5 to train and 2 to test."""
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for i in range(7):
            image = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (20, 48, 3), dtype=np.uint8)).save(image, "PNG")
            member = tarfile.TarInfo(f"edges2shoes/{'train' if i < 5 else 'val'}/{i}_AB.png")
            member.size = image.tell()
            image.seek(0)
            tar.addfile(member, image)
    return buffer.getvalue()


def test_pix2pix_archive(serve, tmp_path):
    body = archive()
    flags = ["--dataset=edges2shoes", *TINY, "--steps=2", "--data_dir=data", "--output=run"]
    cut_off = train(*flags, f"--mirror={serve(body[:-50], length=len(body))}", cwd=tmp_path, check=False)
    assert cut_off.returncode == 2
    assert cut_off.stderr.splitlines()[-1].startswith("munit_tf.train: ")
    left = [name for _, _, names in os.walk(tmp_path) for name in names]
    assert left in ([], [".lock"])
    train(*flags, f"--mirror={serve(body)}", cwd=tmp_path, eager=True)
    assert [row["step"] for row in log(tmp_path / "run")] == [1, 2]
