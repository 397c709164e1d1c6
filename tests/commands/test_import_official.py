"""The authors' checkpoints become run folders, or a line says why not."""

import collections
import os
import pathlib
import shutil
import sys

import forked
import numpy as np
import pytest
from official_checkpoints import (
    discriminator_shapes,
    generator_shapes,
    random_checkpoint,
    unit_generator_shapes,
)
from reference import FOLDER, Golden
from training.processes import log, state, train

import munit_tf
from munit_tf.runs import run_folder

torch = pytest.importorskip("torch")
from munit_tf import import_official  # noqa: E402

SMALL = dict(dim=2, style_dim=3, mlp_dim=5, n_downsample=1, n_res=1)


class Code:
    """Pickled, it makes a file where it is loaded without care."""

    def __reduce__(self):  # noqa: D105
        return os.mkdir, ("ran",)


def save(path, checkpoint, **options):
    tensors = {
        domain: collections.OrderedDict((k, torch.from_numpy(x)) for k, x in checkpoint[domain].items())
        for domain in "ab"
    }
    torch.save(tensors, path, **options)
    return path


@pytest.fixture(scope="module")
def golden_run(tmp_path_factory):
    """(folder, standard output) of the tool, run on the golden files under the authors' names for step 7."""
    folder = tmp_path_factory.mktemp("golden")
    for kind in ("gen", "dis"):
        shutil.copy(FOLDER / f"munit_lsgan_64_{kind}.pt", folder / f"{kind}_00000007.pt")
    flags = [
        "--generator=gen_00000007.pt", "--discriminator", "dis_00000007.pt", "--output", "out/run",
        "--dataset", "shapes", "--resize=64", "--image_size=64", "--batch_size=1",
    ]  # fmt: skip
    (folder / "out" / "run").mkdir(parents=True)  # An empty folder may be there already.
    result = forked.run("import_official", *flags, cwd=folder)
    assert os.listdir(folder / "out") == ["run"]
    return folder / "out" / "run", result.stdout


def test_golden_checkpoint_gives_the_golden_images(golden_run):
    golden, model = Golden("munit_lsgan_64"), munit_tf.load(golden_run[0])
    x_a, x_b = golden["x_a"], golden["x_b"]
    (content_a, style_a), (content_b, style_b) = model.encode(x_a, "a"), model.encode(x_b, "b")
    for name, images in {
        "x_ab": model.translate(x_a, "a2b", style=golden["styles_b"][0]),
        "x_ba": model.translate(x_b, "b2a", style=golden["styles_a"][0]),
        "x_aa": model.decode(content_a, style_a, "a"),
        "x_ba_guided": model.decode(content_b, style_a, "a"),
        "x_ab_guided": model.decode(content_a, style_b, "b"),
    }.items():
        np.testing.assert_allclose(images, golden[f"initial/{name}"], rtol=0, atol=2e-5, err_msg=name)
    for scale, logits in enumerate(model.discriminate(x_a, "a")):
        np.testing.assert_allclose(logits, golden[f"initial/dis_a_real_scale{scale}"], rtol=3e-6)
    assert int(model.step.numpy()) == 7


def test_it_says_what_it_took_and_shipped_settings_give_way_to_the_file(golden_run):
    run, output = golden_run
    for text in (
        "generator, from its file: --style_dim=8 --gen_dim=4 --mlp_dim=16 --num_downsample=2 "
        "--num_res_blocks=2\n",
        "discriminator, from its file: --dis_dim=4 --num_dis_layers=4 --num_scales=3\n",
        "step: 7, from the name gen_00000007.pt; Adam's moments start at 0\n",
        "run folder: out/run\n",
        "python -m munit_tf.train --flagfile=out/run/run.flags --resume=must",
    ):
        assert text in output
    flags = (run / "run.flags").read_text()
    # flags/shapes.flags says --gen_dim=16 and --cycle_weight=10.
    assert "--gen_dim=4\n" in flags and "--cycle_weight=10.0\n" in flags and f"--output={run}\n" in flags


@pytest.fixture
def run_tool(tmp_path, monkeypatch, capsys):
    """A function that runs the tool in this process, in an empty folder: (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*flags):
        status = import_official.main(list(flags))
        return (status, *capsys.readouterr())

    return run


def torch_translation(a, b, images, style, n_downsample, n_res, activation, padding):
    """b's decoder on the content of a's images [N,3,H,W], in PyTorch, from the checkpoint's own keys."""
    functional = torch.nn.functional
    a, b = ({key: torch.from_numpy(array) for key, array in each.items()} for each in (a, b))
    norm, act = functional.instance_norm, getattr(functional, activation)
    if activation == "leaky_relu":
        act = lambda x: functional.leaky_relu(x, 0.2)  # noqa: E731

    def conv(weights, key, x, stride, border):
        x = functional.pad(x, [border] * 4, padding)
        return functional.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], stride)

    x = act(norm(conv(a, "enc_content.model.0.conv", images, 1, 3)))
    for i in range(n_downsample):
        x = act(norm(conv(a, f"enc_content.model.{i + 1}.conv", x, 2, 1)))
    for i in range(n_res):
        key = f"enc_content.model.{n_downsample + 1}.model.{i}.model"
        x = x + norm(conv(a, f"{key}.1.conv", act(norm(conv(a, f"{key}.0.conv", x, 1, 1))), 1, 1))
    h = style
    for i in range(3):
        h = functional.linear(h, b[f"mlp.model.{i}.fc.weight"], b[f"mlp.model.{i}.fc.bias"])
        h = act(h) if i < 2 else h
    adain = iter(h.split(x.shape[1], dim=1))

    def modulated(x):
        offset, scale = next(adain), next(adain)
        return scale[:, :, None, None] * norm(x) + offset[:, :, None, None]

    for i in range(n_res):
        key = f"dec.model.0.model.{i}.model"
        h = act(modulated(conv(b, f"{key}.0.conv", x, 1, 1)))
        x = x + modulated(conv(b, f"{key}.1.conv", h, 1, 1))
    for i in range(n_downsample):
        key = f"dec.model.{2 * i + 2}"
        x = conv(b, f"{key}.conv", functional.interpolate(x, scale_factor=2), 1, 2)
        mean, std = x.mean(dim=(1, 2, 3), keepdim=True), x.std(dim=(1, 2, 3), keepdim=True)
        gamma, beta = (b[f"{key}.norm.{name}"][:, None, None] for name in ("gamma", "beta"))
        x = act(gamma * (x - mean) / (std + 1e-5) + beta)
    return torch.tanh(conv(b, f"dec.model.{2 * n_downsample + 1}.conv", x, 1, 3))


@pytest.mark.parametrize(
    "sizes, activation, padding",
    [
        (SMALL, ("lrelu", "leaky_relu"), ("zero", "constant")),
        (
            dict(dim=3, style_dim=1, mlp_dim=4, n_downsample=3, n_res=3),
            ("relu", "relu"),
            ("reflect", "reflect"),
        ),
    ],
    ids=["small", "deep"],
)
def test_other_sizes_translate_as_in_pytorch(run_tool, tmp_path, sizes, activation, padding):
    checkpoint = random_checkpoint(generator_shapes(**sizes))
    save("any.pt", checkpoint)
    status, output, error = run_tool(
        "--generator=any.pt",
        "--output=run",
        f"--gen_activation={activation[0]}",
        f"--gen_padding={padding[0]}",
    )
    assert (status, error) == (0, "")
    assert (
        "discriminator: no file given, so its weights are random: use it only for further training\n"
        in output
    )
    assert "step: 0, because neither --step nor a name" in output
    assert (
        "training: python -m munit_tf.train --flagfile=run/run.flags --resume=must --dataset=...\n" in output
    )
    rng = np.random.default_rng(1)
    images = rng.uniform(-1, 1, (2, 32, 40, 3)).astype("float32")
    style = rng.standard_normal((2, sizes["style_dim"])).astype("float32")
    expected = torch_translation(
        checkpoint["a"], checkpoint["b"], torch.from_numpy(images.transpose(0, 3, 1, 2).copy()),
        torch.from_numpy(style), sizes["n_downsample"], sizes["n_res"], activation[1], padding[1],
    ).numpy().transpose(0, 2, 3, 1)  # fmt: skip
    result = munit_tf.load(tmp_path / "run").translate(images, "a2b", style=style).numpy()
    assert expected.std() > 0.1
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-5)


def test_old_files(run_tool, tmp_path):
    """PyTorch before 1.6 wrote another format, instance norms with statistics, and from the GPU."""
    shapes = generator_shapes(**SMALL)
    shapes["enc_content.model.0.norm.running_mean"] = shapes["enc_content.model.0.norm.running_var"] = (2,)
    save("gen_00000003.pt", random_checkpoint(shapes), _use_new_zipfile_serialization=False)
    shapes = discriminator_shapes(dim=2, n_layer=2, num_scales=1)
    shapes["cnns.0.1.norm.running_mean"] = (4,)
    dis = random_checkpoint(shapes)
    save("dis_00000003.pt", dis)
    status, output, error = run_tool(
        "--generator=gen_00000003.pt", "--discriminator=dis_00000003.pt", "--output=run", "--dataset=x",
        "--perceptual_weight=1", "--vgg_weights=gone.h5",
    )  # fmt: skip
    assert (status, error) == (0, "")
    assert "--num_scales=1 --dis_norm=instance\n" in output
    model = munit_tf.load(tmp_path / "run")
    assert model.config.dis_norm == "instance" and model.config.perceptual_weight == 1
    kernel = np.asarray(model.discriminators["b"].scales[0][1].conv.kernel)
    np.testing.assert_array_equal(kernel, dis["b"]["cnns.0.1.conv.weight"].transpose(2, 3, 1, 0))
    assert run_folder.RunFolder(tmp_path / "run").options().model == model.config


def test_training_goes_on(run_tool, tmp_path):
    save("gen_00000002.pt", random_checkpoint(generator_shapes(**SMALL)))
    dis = random_checkpoint(discriminator_shapes(dim=2, n_layer=2, num_scales=1))
    save("dis_00000002.pt", dis)
    status, output, _ = run_tool(
        "--generator=gen_00000002.pt", "--discriminator=dis_00000002.pt", "--dataset=shapes", "--resize=16",
        "--image_size=16", "--batch_size=1", "--learning_rate=1e-4", "--steps=2", "--output=run",
    )  # fmt: skip
    assert status == 0
    assert output.endswith("--flagfile=run/run.flags --resume=must, with --steps above 2\n")
    train("--flagfile=run/run.flags", "--resume=must", "--steps=4", "--log_every=1", cwd=tmp_path)
    assert [row["step"] for row in log(tmp_path / "run")] == [3, 4]
    after = state(tmp_path / "run", 4)
    updates = {name: value for name, value in after.items() if "updates" in name}
    assert len(updates) == 2 and set(map(int, updates.values())) == {2}
    # Two steps of Adam from the file's weights: each moves a weight by the learning rate at most.
    [kernel] = [
        x for name, x in after.items() if name.startswith("discriminators.Sa.Sscales.S0.S1.Sconv.Skern")
    ]
    moved = np.abs(kernel - dis["a"]["cnns.0.1.conv.weight"].transpose(2, 3, 1, 0))
    assert 5e-5 < moved.max() < 3e-4


@pytest.fixture
def files(run_tool):
    """Files to make mistakes with, in the working folder."""
    save("gen.pt", random_checkpoint(generator_shapes(**SMALL)))
    save("gen_00000005.pt", random_checkpoint(generator_shapes(**SMALL)))
    save("dis_00000006.pt", random_checkpoint(discriminator_shapes(dim=2)))
    save("unit.pt", random_checkpoint(unit_generator_shapes()))
    shapes = generator_shapes(**SMALL)
    del shapes["dec.model.2.norm.beta"]
    save("lacking.pt", random_checkpoint(shapes))
    torch.save({"a": torch.zeros(1), "b": 3}, "tensors.pt")
    torch.save({"iteration": 3}, "other.pt")
    torch.save([1], "list.pt")
    torch.save({"a": Code(), "b": {}}, "code.pt")
    pathlib.Path("text.pt").write_text("hello")
    pathlib.Path("cut.pt").write_bytes(pathlib.Path("gen.pt").read_bytes()[:999])
    pathlib.Path("used").mkdir()
    pathlib.Path("used/x").touch()
    return sorted(os.listdir("."))


def test_a_pytorch_that_does_not_keep_its_word_is_refused(run_tool, monkeypatch):
    """Up to 2.5 `weights_only` let through what it was to keep out."""
    torch.save({"a": {}, "b": {}}, "gen.pt")
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    status, _, errors = run_tool("--generator=gen.pt")
    assert status == 2 and "PyTorch 2.5.1+cpu" in errors and "pip install 'torch>=2.6'" in errors


@pytest.mark.parametrize(
    "flags, parts",
    [
        ([], ["--generator is missing"]),
        (["--generator=gone.pt"], ["there is no file", "gone.pt"]),
        (["--generator=text.pt"], ["text.pt is not a checkpoint of weights"]),
        (["--generator=cut.pt"], ["cut.pt is not a checkpoint of weights"]),
        (["--generator=code.pt"], ["code.pt is not a checkpoint of weights"]),
        (["--generator=list.pt"], ["list.pt holds a list, not the authors' dict of a and b"]),
        (
            ["--generator=other.pt"],
            ["other.pt is not the authors' dict of a and b: it has the keys iteration"],
        ),
        (["--generator=tensors.pt"], ["a is not a dict of tensors"]),
        (
            ["--generator=unit.pt"],
            ["not a generator of MUNIT", "missing keys enc_content.*, enc_style.*, mlp.*"],
        ),
        (["--generator=dis_00000006.pt"], ["not a generator of MUNIT", "cnns.*"]),
        (["--generator=gen.pt", "--discriminator=gen.pt"], ["not a discriminator of MUNIT", "cnns.*"]),
        (["--generator=lacking.pt"], ["missing: a/dec.model.2.norm.beta, b/dec.model.2.norm.beta"]),
        (["--generator=gen.pt", "--gen_dim=64"], ["--gen_dim=64 does not fit: the weights have gen_dim 2"]),
        (["--generator=gen.pt", "--gen_activation=prelu"], ["missing:", "activation.weight"]),
        (["--generator=gen.pt", "--gen_dmi=2"], ["gen_dmi"]),
        (["--generator=gen.pt", "--step=-1"], ["--step=-1", "from 0 to"]),
        (["--generator=gen.pt", "--image_size=257"], ["--image_size=257x257"]),
        (["--generator=gen.pt", "--method=unit"], ["--method"]),
        (["--generator=gen.pt", "--output=used"], ["used is in use already"]),
        (["--generator=gen.pt", "--output=gen.pt"], ["gen.pt is in use already"]),
        (["--generator=gen.pt", "--output=gen.pt/run"], ["cannot be written"]),
        (["--generator=gen.pt", "--output=gs://x/run"], ["--output=gs://x/run", "on this machine"]),
        (["--generator=gen_00000005.pt", "--discriminator=dis_00000006.pt"], ["different steps", "--step"]),
    ],
    ids=lambda value: value[-1] if value and value[0].startswith("--") else "",
)
def test_mistakes_are_one_line_and_write_nothing(run_tool, files, flags, parts):
    status, output, error = run_tool(*(["--output=run"] if "--output" not in str(flags) else []), *flags)
    assert (status, output) == (2, "")
    assert error.startswith("munit_tf.import_official: ") and error.count("\n") == 1, error
    assert all(part in error for part in parts), error
    assert sorted(os.listdir(".")) == files and os.listdir("used") == ["x"]


def test_a_flagfile_of_the_users_must_fit_too(run_tool, files):
    pathlib.Path("my.flags").write_text("--style_dim=8\n--seed=3\n")
    status, _, error = run_tool("--generator=gen.pt", "--flagfile=my.flags", "--output=run")
    assert status == 2 and "--style_dim=8 does not fit: the weights have style_dim 3" in error


def test_without_pytorch(run_tool, files, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    status, _, error = run_tool("--generator=gen.pt", "--output=run")
    assert status == 2 and error.count("\n") == 1 and "pip install 'torch>=2.6'" in error


def test_help_has_its_own_flags_and_trains(run_tool):
    status, output, _ = run_tool("--help")
    assert status == 0
    for flag in ("--generator ", "--discriminator ", "--step ", "--image_size ", "--gan_loss ", "--output "):
        assert output.count(f"\n  {flag}") == 1, flag
    assert "pip install 'torch>=2.6'" in output
