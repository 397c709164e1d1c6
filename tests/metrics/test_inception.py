"""The network of published FIDs, against pytorch-fid's module with the same seeded weights."""

import numpy as np
import pytest
from inception_reference import seeded_state
from reference import FOLDER

from munit_tf.evaluation.options import EvaluateConfig
from munit_tf.metrics import resizing
from munit_tf.metrics.fid import fid, mmd2
from munit_tf.metrics.inception import RESIZINGS, PublishedInception
from munit_tf.networks import fid_inception


@pytest.fixture(scope="module")
def weights():
    return fid_inception.from_pytorch(seeded_state())


@pytest.fixture(scope="module")
def folder(weights, tmp_path_factory):
    """As `munit_tf.import_weights` writes it."""
    folder = tmp_path_factory.mktemp("weights")
    np.savez(folder / fid_inception.FILE, **weights)
    return folder


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def test_features_and_probabilities_are_those_of_pytorch_fid(folder):
    """`fid_inception.npz`: two images, what pytorch-fid 0.3.0 and its `fc` without bias make of them.

    The variant of clean-fid 0.1.35 resizes first, and scales to (level - 128) / 128.
    """
    golden = np.load(FOLDER / "fid_inception.npz")
    images = golden["images"] / np.float32(127.5) - 1
    for resizing_name in ("pytorch-fid", "clean-fid"):
        features, probabilities = PublishedInception(folder, resizing_name)(images)
        assert relative_error(features, golden[f"{resizing_name}/features"]) < 1e-4
        logits = golden[f"{resizing_name}/logits"].astype("float64")
        expected = np.exp(logits - logits.max(1, keepdims=True))
        expected /= expected.sum(1, keepdims=True)
        np.testing.assert_allclose(probabilities, expected, rtol=1e-3)
    # What is compared depends on the images.
    assert relative_error(features[0], features[1]) > 0.1


def test_resizing_is_clean_fids():
    """`resized`: 16 pixels of clean-fid's result for each image, in levels."""
    golden = np.load(FOLDER / "fid_inception.npz")
    resized = resizing.clean_fid(golden["images"] / np.float32(127.5) - 1, fid_inception.SIZE) * 128 + 128
    np.testing.assert_allclose(resized[:, 5::75, 20::75], golden["clean-fid/resized"], atol=1e-2)
    assert resized.min() >= 0 and resized.max() <= 255


def test_the_flag_names_every_resizing():
    for name in RESIZINGS:
        assert EvaluateConfig(run="x", fid_resize=name).fid_resize == name


def test_all_21_million_weights_are_used(weights):
    shapes = fid_inception.kernel_shapes()
    assert len(shapes) == 94 and sum(map(np.prod, shapes.values())) == 21_751_136
    assert len(weights) == 2 * 94 + 1


def test_other_weights_are_refused(weights, tmp_path):
    for name in ("Mixed_7c.branch_pool/bias", "logits/kernel"):
        lacking = {key: value for key, value in weights.items() if key != name}
        with pytest.raises(ValueError, match=f"{name} is missing"):
            fid_inception.FIDInception(lacking)
        with pytest.raises(ValueError, match=f"{name} must have the shape"):
            fid_inception.FIDInception({**weights, name: weights[name][:7]})
    np.savez(tmp_path / fid_inception.FILE, other=np.zeros(3))
    with pytest.raises(ValueError, match="does not hold the weights of Inception-v3 for FID"):
        fid_inception.load(tmp_path)


def test_500_images_have_the_references_fid_and_kid(folder, weights):
    """With the packages themselves, where they are installed."""
    torch = pytest.importorskip("torch")
    clean = pytest.importorskip("cleanfid.fid")
    fid_score = pytest.importorskip("pytorch_fid.fid_score")
    module = torch_module(torch)
    random = np.random.RandomState(0)
    noise = random.randint(0, 256, (250, 40, 56, 3)).astype("uint8")
    smooth = random.randint(0, 256, (250, 4, 6, 3)).astype("uint8").repeat(10, 1).repeat(10, 2)[:, :, :56]
    sets = noise, smooth
    network, features, references = PublishedInception(folder, "pytorch-fid"), [], []
    for images in sets:
        batches = np.split(images, 10)
        features.append(np.concatenate([network(batch / np.float32(127.5) - 1)[0] for batch in batches]))
        with torch.no_grad():
            inputs = [torch.tensor(batch.transpose(0, 3, 1, 2)) / 255 for batch in batches]
            references.append(np.concatenate([module(each)[0][..., 0, 0].numpy() for each in inputs]))
        assert relative_error(features[-1], references[-1]) < 1e-4
    statistics = [(x.mean(0), np.cov(x, rowvar=False)) for x in references]
    expected = fid_score.calculate_frechet_distance(*statistics[0], *statistics[1])
    found = fid(*features)
    assert found == pytest.approx(expected, rel=1e-3)
    expected_kid = clean.kernel_distance(*references, num_subsets=1, max_subset_size=250)
    assert mmd2(*(x.astype("float64") for x in features)) == pytest.approx(expected_kid, rel=1e-3)
    halves = features[0][:125], features[0][125:]
    assert fid(*halves) < 0.2 * found
    print(f"FID {found:.6g}, pytorch-fid {expected:.6g}; of two halves of the noise {fid(*halves):.4g}")


def torch_module(torch):
    """pytorch-fid's InceptionV3 with the seeded weights, instead of those that it downloads."""
    inception = pytest.importorskip("pytorch_fid.inception")
    state = {name: torch.tensor(value) for name, value in seeded_state().items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            inception, "load_state_dict_from_url", lambda *args, **kwargs: with_counters(torch, state)
        )
        return inception.InceptionV3().eval()


def with_counters(torch, state):
    norms = {name.rsplit(".", 1)[0] for name in state if name.endswith("running_var")}
    return {**state, **{f"{norm}.num_batches_tracked": torch.tensor(0) for norm in norms}}
