"""Published weights as our files. PyTorch's files are made here, with seeded weights."""

import hashlib
import sys

import numpy as np
import pytest
from inception_reference import seeded_state
from reference import FOLDER

from munit_tf.errors import InputError
from munit_tf.metrics.inception import PublishedInception
from munit_tf.metrics.lpips import LPIPS
from munit_tf.networks import pretrained

torch = pytest.importorskip("torch", reason="munit_tf.import_weights reads PyTorch's files with PyTorch")
from munit_tf import import_weights  # noqa: E402

SHAPES = ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Files laid out as torchvision's AlexNet and the lpips package, with the golden's weights."""
    folder = tmp_path_factory.mktemp("published")
    random, state = np.random.RandomState(2012), {}
    for layer, (k, c_in, c_out) in zip(import_weights.LAYERS["alexnet"], SHAPES):
        kernel = (random.randn(k, k, c_in, c_out) * np.sqrt(2 / (k * k * c_in))).astype("float32")
        state[f"features.{layer}.weight"] = torch.tensor(kernel.transpose(3, 2, 0, 1).copy())
        state[f"features.{layer}.bias"] = torch.tensor((random.randn(c_out) * 0.1).astype("float32"))
    state["classifier.6.bias"] = torch.zeros(1000)
    torch.save(state, folder / "alexnet.pth", _use_new_zipfile_serialization=False)
    golden = np.load(FOLDER / "lpips_alex.npz")
    for version in ("0.0", "0.1"):
        (folder / "lpips" / "weights" / f"v{version}").mkdir(parents=True)
        for short, channels in (("alex", (64, 192, 384, 256, 256)), ("vgg", (64, 128, 256, 512, 512))):
            linear = {
                f"lin{i}.model.1.weight": torch.tensor(
                    golden[f"lin{i}_v{version}"] if short == "alex" else np.ones(c, "float32")
                ).reshape(1, -1, 1, 1)
                for i, c in enumerate(channels)
            }
            torch.save(linear, folder / "lpips" / "weights" / f"v{version}" / f"{short}.pth")
    return folder


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def linear_is_known(published, monkeypatch):
    for path in (published / "lpips" / "weights").glob("*/*.pth"):
        name = f"{path.parent.name}/{path.name}"
        monkeypatch.setitem(import_weights.KNOWN_SHA256, name, (digest_of(path)[:8],))


def test_imported_weights_give_the_packages_distances(published, linear_is_known, tmp_path, monkeypatch):
    digest = digest_of(published / "alexnet.pth")
    monkeypatch.setitem(import_weights.KNOWN_SHA256, "alexnet", (digest[:8],))
    import_weights.import_weights(
        import_weights.ImportConfig(
            alexnet=str(published / "alexnet.pth"),
            lpips=str(published / "lpips"),
            output=str(tmp_path),
        )
    )
    golden = np.load(FOLDER / "lpips_alex.npz")
    taps, provenance = pretrained.load_taps("alexnet", tmp_path)
    assert provenance["source"] == {"alexnet.pth": digest}
    assert provenance["sha256"] == hashlib.sha256((tmp_path / "alexnet.npz").read_bytes()).hexdigest()
    for version in ("0.0", "0.1"):
        linear, _ = pretrained.load_lpips_linear("alexnet", version, tmp_path)
        distances = LPIPS(taps, linear, version)(golden["img0"], golden["img1"])
        np.testing.assert_allclose(distances, golden[f"distance_v{version}"], rtol=1e-5)
    linear, _ = pretrained.load_lpips_linear("vgg16", "0.1", tmp_path)
    assert [weights.shape for weights in linear] == [(64,), (128,), (256,), (512,), (512,)]


def test_pytorch_fids_file_becomes_the_network_of_evaluations(tmp_path, monkeypatch):
    state = {name: torch.tensor(value) for name, value in seeded_state().items()}
    state["Conv2d_1a_3x3.bn.num_batches_tracked"] = torch.tensor(0)
    path = tmp_path / "inception.pth"
    torch.save(state, path)
    flags = import_weights.ImportConfig(fid_inception=str(path), output=str(tmp_path / "out"))
    with pytest.raises(InputError, match="is not pytorch-fid's Inception-v3: its SHA-256 begins with"):
        import_weights.import_weights(flags)
    monkeypatch.setitem(import_weights.KNOWN_SHA256, "fid_inception", (digest_of(path)[:8],))
    import_weights.import_weights(flags)
    network = PublishedInception(tmp_path / "out", "pytorch-fid")
    assert network.provenance["source"] == {"inception.pth": digest_of(path)}
    golden = np.load(FOLDER / "fid_inception.npz")
    features, _ = network(golden["images"] / np.float32(127.5) - 1)
    np.testing.assert_allclose(features, golden["pytorch-fid/features"], rtol=1e-3, atol=1e-3)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", None)
        with pytest.raises(InputError, match="^PyTorch is required"):
            import_weights.import_weights(flags)
    del state["Mixed_7c.branch_pool.bn.bias"]
    torch.save(state, path)
    monkeypatch.setitem(import_weights.KNOWN_SHA256, "fid_inception", (digest_of(path)[:8],))
    with pytest.raises(InputError, match="Inception-v3: it has no Mixed_7c.branch_pool.bn.bias"):
        import_weights.import_weights(flags)


def test_another_file_than_torchvisions_is_refused(published, tmp_path):
    with pytest.raises(InputError, match="is not torchvision's alexnet: its SHA-256 begins with"):
        import_weights.import_weights(
            import_weights.ImportConfig(alexnet=str(published / "alexnet.pth"), output=str(tmp_path / "out"))
        )
    with pytest.raises(InputError, match="is not the lpips package's v0.0/alex.pth: its SHA-256 begins with"):
        import_weights.import_weights(
            import_weights.ImportConfig(lpips=str(published / "lpips"), output=str(tmp_path / "out"))
        )
    assert not (tmp_path / "out").exists()


def test_bad_input(published, tmp_path, monkeypatch):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no weights")
    digest = hashlib.sha256(b"no weights").hexdigest()
    monkeypatch.setitem(import_weights.KNOWN_SHA256, "vgg16", (digest[:8],))
    for flags, message in (
        ({}, "nothing to do"),
        (dict(vgg16=str(broken)), "cannot be read as PyTorch weights"),
        (dict(vgg16=str(tmp_path / "none.pth")), "cannot read .*none.pth"),
        (dict(lpips=str(tmp_path)), "is not the lpips package's: it has no v0.0/alex.pth"),
    ):
        with pytest.raises(InputError, match=message):
            import_weights.import_weights(import_weights.ImportConfig(output=str(tmp_path / "out"), **flags))
    other = hashlib.sha256((published / "alexnet.pth").read_bytes()).hexdigest()
    monkeypatch.setitem(import_weights.KNOWN_SHA256, "vgg16", (other[:8],))
    with pytest.raises(InputError, match="is not vgg16's: no convolution features.2"):
        import_weights.import_weights(import_weights.ImportConfig(vgg16=str(published / "alexnet.pth")))
