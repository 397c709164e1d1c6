"""Flags, flagfiles and the options made from them."""

import dataclasses
import re
from typing import Optional

import pytest

from munit_tf.cli import command_line, help
from munit_tf.config.schema import Config, option
from munit_tf.errors import InputError
from munit_tf.models.munit import MUNITConfig


@dataclasses.dataclass(frozen=True)
class OtherConfig(Config):
    """Another method's."""

    gen_dim: int = option(32, "channels", minimum=1, maximum=1000)
    kl_weight: float = option(0.01, "weight of KL", minimum=0, maximum=1e9)


METHODS = {"munit": MUNITConfig, "other": OtherConfig}


def parse(*argv, names=("shapes",)):
    return command_line.parse(list(argv), METHODS, names)


def test_defaults_are_the_papers():
    options, shipped = parse("--dataset=photos")
    assert shipped == []
    model, train, data = options.model, options.train, options.data
    assert (model.style_dim, model.gen_dim, model.mlp_dim, model.dis_dim) == (8, 64, 256, 64)
    assert (model.num_downsample, model.num_res_blocks, model.num_dis_layers, model.num_scales) == (
        2,
        4,
        4,
        3,
    )
    assert (model.gan_loss, model.gan_weight, model.cycle_weight) == ("lsgan", 1, 0)
    assert (model.recon_x_weight, model.recon_c_weight, model.recon_s_weight) == (10, 1, 1)
    assert (model.learning_rate, model.learning_rate_half_life_steps) == (1e-4, 100_000)
    assert (model.beta_1, model.beta_2, model.weight_decay) == (0.5, 0.999, 1e-4)
    assert (train.steps, train.batch_size, train.seed, train.resume) == (1_000_000, 1, 0, "auto")
    assert (data.resize, data.image_size) == (256, (256, 256))
    assert (train.log_every, train.sample_every, train.checkpoint_every) == (100, 1000, 5000)


@pytest.mark.parametrize("text, size", [("64", (64, 64)), ("192x256", (192, 256)), ("8X16", (8, 16))])
def test_image_size(text, size):
    assert parse("--dataset=x", f"--image_size={text}")[0].data.image_size == size


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--image_size=0", "256 or 192x256"),
        ("--image_size=1x2x3", "256 or 192x256"),
        ("--batch_size=0", "--batch_size=0: must be a number from 1 to 65536"),
        ("--learning_rate=-1", "must be a number from 0 to"),
        ("--learning_rate=nan", "must be a number from 0 to"),
        ("--learning_rate=inf", "must be a number from 0 to"),
        ("--gan_loss=wgan", "must be one of lsgan, nsgan, hinge"),
        ("--seed=5000000000", "must be a number from 0 to 4294967295"),
        ("--flagfile=", "--flagfile needs the name of a file"),
        ("--output=", "must not be empty"),
        ("--train_a=gs://bucket/a", "files must be on this machine"),
        ("--resume=yes", "must be one of auto, never, must"),
        ("--method=pix2pix", "pix2pix"),
        ("--stlye_dim=8", "style_dim"),
        ("--kl_weight=1", "--kl_weight is a flag of --method=other, not of --method=munit"),
        ("leftover", "unexpected argument 'leftover'"),
        ("--flagfile=missing.flags", "missing.flags"),
    ],
)
def test_errors_are_one_line_that_names_the_flag(flag, message):
    with pytest.raises(InputError) as caught:
        parse("--dataset=x", flag)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_shared_flag_has_each_methods_own_default():
    assert parse("--dataset=x")[0].model.gen_dim == 64
    assert parse("--dataset=x", "--method=other")[0].model.gen_dim == 32
    assert parse("--dataset=x", "--method=other", "--gen_dim=4")[0].model.gen_dim == 4


@pytest.mark.parametrize("flagfile_first", [True, False])
@pytest.mark.parametrize("spelling", ["--flagfile={}", "-flagfile={}"])
def test_a_flag_outside_the_flagfile_wins_wherever_it_stands(tmp_path, flagfile_first, spelling):
    file = tmp_path / "my.flags"
    file.write_text("# mine\n--dataset=x\n--steps=5\n--seed=3\n")
    argv = [spelling.format(file), "--steps=7"]
    options, _ = parse(*(argv if flagfile_first else reversed(argv)))
    assert (options.train.steps, options.train.seed) == (7, 3)


def test_shipped_flagfile_applies_to_registry_names_only(tmp_path, monkeypatch):
    monkeypatch.setattr(command_line, "SHIPPED_FLAGS", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes.flags").write_text("--steps=11\n")
    (tmp_path / "other_shapes.flags").write_text("--steps=12\n")
    (tmp_path / "photos.flags").write_text("--steps=13\n")
    (tmp_path / "photos").mkdir()
    own = tmp_path / "own.flags"
    own.write_text("--seed=1\n")
    assert parse("--dataset=shapes")[0].train.steps == 11
    assert parse("--dataset=shapes")[1] == [tmp_path / "shapes.flags"]
    assert parse("--dataset=shapes", "--steps=3")[0].train.steps == 3
    assert parse("--dataset=shapes", "--method=other")[0].train.steps == 12
    assert parse("--dataset=photos")[0].train.steps == 1_000_000
    assert parse("--dataset=shapes", f"--flagfile={own}")[0].train.steps == 1_000_000


def test_no_other_methods_flagfile_applies(tmp_path, monkeypatch):
    monkeypatch.setattr(command_line, "SHIPPED_FLAGS", tmp_path)
    (tmp_path / "shapes.flags").write_text("--steps=11\n--style_dim=2\n")
    assert parse("--dataset=shapes", "--method=other") == (
        parse("--dataset=shapes", "--method=other", names=())[0],
        [],
    )


def test_a_recipe_wins_over_the_preset_and_other_flags_win_over_it(tmp_path, monkeypatch):
    monkeypatch.setattr(command_line, "SHIPPED_FLAGS", tmp_path)
    recipe, preset, own = (tmp_path / f"{name}.flags" for name in ("recipes/fast", "shapes", "own"))
    recipe.parent.mkdir()
    recipe.write_text("--steps=21\n--batch_size=4\n--seed=2\n")
    preset.write_text("--steps=11\n--log_every=7\n")
    own.write_text("--seed=1\n")
    options, shipped = parse("--dataset=shapes", "--recipe=fast", "--batch_size=8")
    train = options.train
    assert (train.steps, train.log_every, train.batch_size, train.seed) == (21, 7, 8, 2)
    assert shipped == [preset, recipe]
    assert "recipe" not in options.to_flagfile()
    assert parse("--dataset=photos", "--recipe=fast")[0].train.steps == 21
    assert parse("--recipe=fast", f"--flagfile={own}")[0].train.seed == 1
    with pytest.raises(InputError, match="--recipe=slow"):
        parse("--recipe=slow")
    (tmp_path / "run.flags").write_text("--dataset=photos\n")
    with pytest.raises(InputError, match="--recipe .* run.flags"):
        parse("--recipe=fast", f"--flagfile={tmp_path}/run.flags")


def test_run_flags_repeat_the_run(tmp_path):
    options, _ = parse(
        "--dataset=shapes",
        "--image_size=32x48",
        "--paired",
        "--learning_rate=3e-4",
        "--train_a=a",
        "--precision=bfloat16",
        f"--output={tmp_path}",
        names=(),
    )
    file = tmp_path / "run.flags"
    file.write_text(options.to_flagfile())
    assert command_line.read_flagfile(file, METHODS) == options


def test_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    options, _ = parse("--dataset=photos")
    assert options.data.dataset == str(tmp_path / "photos")
    assert options.train.output == str(tmp_path / "runs" / "photos-munit")
    options, _ = parse("--train_a=a/*.png", "--train_b=b")
    assert (options.data.train_a, options.data.train_b) == (str(tmp_path / "a/*.png"), str(tmp_path / "b"))
    assert options.train.output == str(tmp_path / "runs" / "images-munit")


def test_what_a_resumed_run_may_change():
    old, _ = parse("--dataset=x")
    may, _ = parse("--dataset=x", "--steps=5", "--log_every=1", "--strategy=none", "--checkpoint_every=2")
    may_not, _ = parse("--dataset=x", "--seed=1", "--batch_size=2", "--cycle_weight=10", "--resize=300")
    other, _ = parse("--dataset=x", "--method=other")
    assert may.changed_since(old) == []
    assert may_not.changed_since(old) == ["resize", "batch_size", "seed", "cycle_weight"]
    assert other.changed_since(old) == ["method"]


def test_edges_are_recorded_and_must_not_change(tmp_path):
    old, _ = parse("--train_b=photos", "--edges", f"--output={tmp_path}")
    assert "\n--edges=true\n" in old.to_flagfile()
    (tmp_path / "run.flags").write_text(old.to_flagfile())
    assert command_line.read_flagfile(tmp_path / "run.flags", METHODS).data.edges
    without, _ = parse("--train_b=photos", f"--output={tmp_path}")
    assert without.changed_since(old) == old.changed_since(without) == ["edges"]
    # Runs of earlier versions did not make edges.
    text = without.to_flagfile().replace("--edges=false\n", "")
    (tmp_path / "run.flags").write_text(text)
    assert without.changed_since(command_line.read_flagfile(tmp_path / "run.flags", METHODS)) == []


def test_a_run_without_images_may_be_given_some():
    old, _ = parse("--output=imported")
    new, _ = parse("--dataset=x", "--resize=300", "--output=imported")
    assert new.changed_since(old) == []
    another_seed, _ = parse("--dataset=x", "--seed=1", "--output=imported")
    assert another_seed.changed_since(old) == ["seed"]


def test_help_names_every_flag_once_with_its_default():
    text = help.train_help("usage", METHODS, {"shapes": "outlines and fillings"})
    for config_class in METHODS.values():
        for field in dataclasses.fields(config_class):
            assert len(re.findall(rf"^  --{field.name}\b", text, re.MULTILINE)) == 1, field.name
    assert "[munit 64, other 32]" in text
    assert "outlines and fillings" in text
    assert max(map(len, text.splitlines())) <= 100


def test_help_says_once_what_is_alike():
    @dataclasses.dataclass(frozen=True)
    class Third(MUNITConfig):
        """Like MUNIT's but for one."""

        dis_dim: int = option(16, "channels", minimum=1, maximum=1000)

    methods = {"munit": MUNITConfig, "third": Third, "fourth": Third}
    text = " ".join(help.train_help("usage", methods, {}).split())
    assert "--gen_dim channels after an encoder's first convolution [64]" in text
    assert "[munit 64, third fourth 16]" in text


@dataclasses.dataclass(frozen=True)
class Command(Config):
    """A command's options."""

    run: Optional[str] = option(None, "the run folder", required=True)
    formats: tuple[str, ...] = option(("one",), "what to write", choices=("one", "two"))
    count: Optional[int] = option(None, "how many", minimum=1, maximum=9)


def test_a_command_of_one_dataclass():
    config = command_line.parse_command(["--run=r", "--formats=two,one", "--count=3"], Command)
    assert config == Command(run="r", formats=("two", "one"), count=3)
    assert command_line.parse_command(["--run=r"], Command) == Command(run="r")


@pytest.mark.parametrize(
    "argv, message",
    [
        ([], "--run is missing: the run folder"),
        (["--run=r", "--formats=two,three"], "--formats=two,three: must be one of one, two"),
        (["--run=r", "--formats="], "--formats=: must not be empty"),
        (["--run=r", "--count=0"], "--count=0: must be a number from 1 to 9"),
        (
            ["--run=r", "--cuont=1"],
            "Unknown command line flag 'cuont'. Did you mean: count ? (--help lists the flags)",
        ),
    ],
)
def test_a_command_says_what_is_wrong(argv, message, capsys):
    status = command_line.run_command("a.command", "usage", Command, lambda config: None, argv)
    assert status == 2
    assert capsys.readouterr().err == f"a.command: {message}\n"


def test_a_command_returns_its_jobs_status_and_prints_help(capsys):
    assert command_line.run_command("x", "usage", Command, lambda config: None, ["--run=r"]) == 0
    assert command_line.run_command("x", "usage", Command, lambda config: 3, ["--run=r"]) == 3
    assert command_line.run_command("x", "usage of x", Command, lambda config: 3, ["--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("usage of x\n\nA command's options\n")
    assert "--run                         the run folder (required)\n" in text
    assert "--formats                     what to write: one, two [one]\n" in text


def test_ctrl_c_is_one_line(capsys):
    def job(config):
        raise KeyboardInterrupt

    assert command_line.run_command("x", "usage", Command, job, ["--run=r"]) == 130
    assert capsys.readouterr().err == "x: interrupted\n"


def test_a_commands_flags_beside_those_of_training():
    argv = ["--seed", "3", "--flagfile=f", "--count=2", "--nopaired", "--run", "r", "--style_dim=8"]
    config, others = command_line.parse_some(argv, Command)
    assert config == Command(run="r", count=2)
    assert others == ["--flagfile=f", "--seed", "3", "--nopaired", "--style_dim=8"]
    for argv, message in ((["--run=r", "--count=x"], "--count"), (["--seed=3"], "--run is missing")):
        with pytest.raises(InputError, match=message) as caught:
            command_line.parse_some(argv, Command)
        assert "\n" not in str(caught.value)


def test_what_weights_have_settled(tmp_path, monkeypatch):
    monkeypatch.setattr(command_line, "SHIPPED_FLAGS", tmp_path)
    (tmp_path / "shapes.flags").write_text("--steps=11\n--style_dim=2\n")
    known = {"style_dim": 3, "gen_activation": "prelu"}

    def parse(*argv):
        return command_line.parse(["--dataset=shapes", *argv], METHODS, ("shapes",), known)[0]

    for options in (parse(), parse("--style_dim=3")):
        assert (options.train.steps, options.model.style_dim, options.model.gen_activation) == (
            11,
            3,
            "prelu",
        )
    own = tmp_path / "own.flags"
    own.write_text("--style_dim=4\n")
    for flag in ("--style_dim=4", f"--flagfile={own}"):
        with pytest.raises(InputError, match="--style_dim=4 does not fit: the weights have style_dim 3"):
            parse(flag)


def test_help_of_a_command_with_flags_beside_those_of_training():
    text = help.train_help("usage", {"munit": MUNITConfig}, {}, own=[Command])
    assert text.startswith("usage\n\nA command's options\n  --run ")
    assert "\n  --method                      one of munit [munit]\n" in text
