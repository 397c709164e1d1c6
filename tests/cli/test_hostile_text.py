"""Arguments, flagfiles and names of files that are not plain text."""

import dataclasses
import os
import random

import benchmark
import compare_methods
import pytest
from PIL import Image

from munit_tf import (
    doctor,
    evaluate,
    explore,
    export,
    import_official,
    import_weights,
    serving_client,
    train,
    train_classifier,
    translate,
)
from munit_tf.cli import command_line, flagfiles
from munit_tf.config.options import DataConfig, TrainConfig
from munit_tf.config.schema import Config, option
from munit_tf.data import registry, sources
from munit_tf.errors import InputError
from munit_tf.evaluation.options import EvaluateConfig
from munit_tf.models import style_codes
from munit_tf.runs import run_folder
from munit_tf.storage import atomic


def of_one_class(program, config_class):
    """The command of a tool that has no `main`, up to its work."""
    return lambda argv: command_line.run_command(program, "usage", config_class, pytest.fail, argv)


COMMANDS = {
    "train": (train.main, [DataConfig, TrainConfig, run_folder.CONFIGS["munit"]]),
    "translate": (translate.main, [translate.TranslateConfig]),
    "export": (export.main, [export.ExportConfig]),
    "evaluate": (evaluate.main, [EvaluateConfig]),
    "explore": (explore.main, [explore.ExploreConfig]),
    "doctor": (doctor.main, [doctor.DoctorConfig, DataConfig, TrainConfig]),
    "benchmark": (benchmark.main, [benchmark.BenchmarkConfig, DataConfig]),
    "compare_methods": (
        of_one_class("compare_methods", compare_methods.CompareConfig),
        [compare_methods.CompareConfig],
    ),
    "import_official": (import_official.main, [import_official.ImportConfig]),
    "import_weights": (import_weights.main, [import_weights.ImportConfig]),
    "serving_client": (serving_client.main, [serving_client.ClientConfig]),
    "train_classifier": (train_classifier.main, [train_classifier.ClassifierConfig]),
}
BAD_PATHS = {
    "null": ("a\0b", "control characters"),
    "null in a home": ("~\0/b", "control characters"),
    "not UTF-8": ("a\udcffb", "UTF-8"),
    "line break": ("x\n--steps=1", "control characters"),
    "carriage return": ("x\ry", "control characters"),
    "escape sequence": ("\x1b[2Jx", "control characters"),
    "C1": ("\x9b2Jx", "control characters"),
    "line separator": ("x\u2028y", "control characters"),
    "space at the end": ("x ", "end with a space"),
    "unknown user": ("~nobody_of_this_name/x", "~nobody_of_this_name is not a user's"),
    "long name": (f"x/{'ä' * 128}/y", "at most 255 bytes"),
    "long path": ("x/" * 2049, "at most 4096 bytes"),
    "megabytes": ("x" * 3_000_000, "at most 4096 bytes"),
    "another machine": ("file://machine/x", "not a file on this machine"),
    "null in a URI": ("file:///x%00y", "control characters"),
    "not UTF-8 in a URI": ("file:///x%ff", "UTF-8"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_path_flag_refuses_bad_paths(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command, config_classes = COMMANDS[name]
    fields = [each for config_class in config_classes for each in dataclasses.fields(config_class)]
    needed = {each.name: (each.metadata["choices"] or "x")[0] for each in fields if each.metadata["required"]}
    flags = [field.name for field in fields if field.metadata["path"]]
    assert flags
    for flag in flags:
        for case, (value, reason) in BAD_PATHS.items():
            if (flag, case) == ("compare", "space at the end"):
                continue  # Its values have commas between, and may have spaces there.
            status = command([f"--{each}={text}" for each, text in {**needed, flag: value}.items()])
            out, err = capsys.readouterr()
            assert (status, out, len(err.splitlines())) == (2, "", 1), (flag, case, err)
            assert f"--{flag}=" in err and (reason in err or "as a comma separated list" in err), (case, err)
            assert err[:-1].isprintable() and len(err) < 2100, (flag, case)
    assert os.listdir(tmp_path) == []


def parsed(*flags):
    return command_line.parse(list(flags), run_folder.CONFIGS, registry.NAMES)[0]


ODD_NAMES = [
    *(
        "#x",
        "//x",
        "--flagfile=x",
        "--steps=1",
        "-",
        "=",
        "a=b",
        " x",
        "x y",
        "'x'",
        '"x"',
        "\\",
        "x\\",
        "$HOME",
    ),
    *(
        "%41",
        "x%",
        "file:",
        "{a,b}",
        "äöü",
        "漢字",
        "👩\u200d🎨",
        "e\u0301",
        "\ufeffx",
        "x\u202e",
        "\u3000x",
        "a\u00a0b",
    ),
]
LETTERS = "ab /\\#-='\",~$%:.ä漢👩\u200d\u202e\u00a0\u3000\ufeff\t\n\r\0\x1b\x0b\x1c\x85\u2028\udcff"


def test_every_option_reads_back_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~x").mkdir()
    sample = random.Random(0)
    names = ["".join(sample.choices(LETTERS, k=sample.randint(1, 5))) for _ in range(400)]
    accepted = []
    for name in [*ODD_NAMES, "./~x", "./~x/y", *names]:
        flags = [f"--{flag}={name}" for flag in ("dataset", "train_a", "output", "vgg_weights", "mirror")]
        try:
            options = parsed(*flags, "--learning_rate=3e-7", "--image_size=64x128", "--paired")
        except InputError:
            continue
        accepted.append(name)
        (tmp_path / "run.flags").write_bytes(options.to_flagfile().encode())
        assert command_line.read_flagfile(tmp_path / "run.flags", run_folder.CONFIGS) == options, name
    assert accepted[: len(ODD_NAMES) + 2] == [*ODD_NAMES, "./~x", "./~x/y"]
    assert 50 < len(accepted) < 350


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "a\udcffb", "a ", "a\u3000", "a\x85b", "a\u2028b"])
def test_options_made_in_python_are_checked_alike(value):
    for config_class in (DataConfig, TrainConfig):
        field = {DataConfig: "dataset", TrainConfig: "output"}[config_class]
        with pytest.raises(InputError, match=f"^--{field}="):
            config_class(**{field: value})


@dataclasses.dataclass(frozen=True)
class Command(Config):
    """A command's options."""

    number: int = option(1, "a number")
    paired: bool = option(False, "a switch")
    names: tuple[str, ...] = option(("x",), "names")


def refused(capsys, *argv):
    """The one line that a command ends with."""
    assert command_line.run_command("x", "usage", Command, pytest.fail, list(argv)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("x: ") and len(err.splitlines()) == 1, err
    assert err[:-1].isprintable() and len(err) < 2100
    return err


@pytest.mark.parametrize(
    "argv, part",
    [
        (["--nopaired=true"], "--nopaired=true does not take an argument"),
        (["--helpxml"], "helpxml"),
        (["--only_check_args"], "only_check_args"),
        (["--undefok=numbr", "--numbr=1"], "undefok"),
        (["--undefok"], "undefok"),
        (["--number=2", "--", "-"], "'-'"),
        (["--x\ny=1"], r"x\ny"),
        (["--number=1\x1b[2J"], "--number=1"),
        (["--names=a\nb"], "--names="),
        (["--names=x,\udcff"], "--names="),
        (["--names=" + "x" * 200_000], "--names="),
        (["--" + "x" * 3_000_000], "command line flag"),
        (["x" * 3_000_000], "unexpected argument"),
        (["--number=" + "9" * 200_000], "--number="),
    ],
)
def test_odd_arguments_are_one_line(capsys, argv, part):
    assert part in refused(capsys, *argv)


@pytest.mark.parametrize("given", ["x.flags", "above.flags"])
@pytest.mark.parametrize(
    "content, part",
    [
        (bytes(range(256)), "x.flags is not UTF-8 text"),
        ("--number=1\n# ä".encode("latin-1"), "x.flags is not UTF-8 text"),
        ("--number=1".encode("utf-16"), "x.flags is not UTF-8 text"),
        (b"--names=a\0b\n", "--names="),
        (b"\0", "unexpected argument"),
        (b"--names=a\rb\n", "--names="),
        (b"--" + b"x" * 1_000_000, "command line flag"),
        (b"#" * 2_000_000, "x.flags: flagfiles may have at most 1 MiB"),
        (b"--flagfile=x.flags\n", "x.flags: the file includes itself"),
        (b" -flagfile=./x.flags\n", "x.flags: the file includes itself"),
        (b"--flagfile=\n", "--flagfile needs the name of a file"),
        (b"--flagfile\n", "--flagfile needs the name of a file"),
        (b"--flagfile=~nobody_of_this_name/x\n", "not a user's"),
        (b"--flagfile=a\0b\n", "control characters"),
        (b"--flagfile=fifo\n", "fifo: it is not a regular file"),
        (b"--flagfile=folder\n", "folder cannot be read: Is a directory"),
        (b"--flagfile=none\n", "none: there is no such file"),
        (b"--flagfile=link\n", "link: there is no such file"),
        (b"--flagfile=y.flags\n" * 2_000, "flagfiles may have at most 1 MiB"),
    ],
)
def test_bad_flagfiles_are_one_line(tmp_path, monkeypatch, capsys, given, content, part):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo("fifo")
    os.symlink("link", "link")
    (tmp_path / "y.flags").write_bytes(b"")
    (tmp_path / "x.flags").write_bytes(content)
    (tmp_path / "above.flags").write_text("--number=2\n--flagfile=x.flags\n")
    assert part in refused(capsys, f"--flagfile={given}")


def test_flagfiles_include_others_in_their_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine ä"
    folder.mkdir()
    (folder / "in.flags").write_bytes('\ufeff# Of Windows\r\n--number=2\r\n--names= "x" \r\n'.encode())
    (tmp_path / "out.flags").write_text(
        "--number=1\n  //no\n\n--flagfile=mine ä/in.flags\n--flagfile=mine ä/in.flags\n--nopaired\n"
    )
    expected = ["--number=2", '--names= "x"'] * 2
    assert flagfiles.read("out.flags") == ["--number=1", *expected, "--nopaired"]
    assert (
        flagfiles.read(f"file://{str(tmp_path).replace('/t', '/%74')}/mine%20%C3%A4/in.flags") == expected[:2]
    )
    assert flagfiles.read("/dev/null") == []
    for i in range(17):
        (tmp_path / f"{i}.flags").write_text(f"--flagfile={i + 1}.flags")
    (tmp_path / "17.flags").write_text("--nopaired")
    assert flagfiles.read("2.flags") == ["--nopaired"]
    with pytest.raises(InputError, match="17.flags: flagfiles include one another more than 16 deep"):
        flagfiles.read("1.flags")


def write(path):
    with atomic.atomic_write(path) as file:
        file.write(b"x")


@pytest.mark.parametrize(
    "use",
    [
        write,
        sources.list_images,
        lambda path: style_codes.read(path, 2),
        lambda path: import_weights.import_weights(import_weights.ImportConfig(alexnet=path)),
    ],
)
def test_a_fifo_is_neither_opened_nor_replaced(tmp_path, use):
    path = tmp_path / "fifo.txt"
    os.mkfifo(path)
    with pytest.raises(
        InputError, match="fifo.txt .*is not a regular file|fifo.txt.*: it is not a regular file"
    ):
        use(str(path))
    assert path.is_fifo() and os.listdir(tmp_path) == ["fifo.txt"]


def test_a_list_of_images_with_a_null_is_refused(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"~\0x.png\n")
    with pytest.raises(InputError, match="list.txt is not text"):
        sources.list_images(str(tmp_path / "list.txt"))


BROKEN = "a\x1b[2Jb\nc\u202ed\udcff.jpg"
SHOWN = r"a\x1b[2Jb\nc\u202ed\udcff.jpg"


def test_names_of_files_are_escaped_on_the_terminal(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for split in ("trainA", "trainB"):
        (tmp_path / "photos" / split).mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(tmp_path / "photos" / split / "Öl 漢.png")
        (tmp_path / "photos" / split / BROKEN).write_bytes(b"text")
    flags = ["--dataset=photos", "--resize=64", "--image_size=64"]
    assert doctor.main(flags) == 1
    found, _ = capfd.readouterr()
    assert train.main([*flags, "--output=run"]) == 2
    _, fatal = capfd.readouterr()
    skipping = registry.open_dataset(DataConfig(dataset="photos", unreadable="skip")).train["a"]
    assert skipping[0].size == (64, 64)
    _, skipped = capfd.readouterr()
    for printed in (found, fatal, skipped):
        assert SHOWN in printed
        assert all(line.isprintable() for line in printed.split("\n"))
    assert "Öl 漢.png" in found
    assert not os.path.exists("run")


@pytest.mark.parametrize("mirror", ["http://[::1", "http://[x]"])
def test_malformed_addresses(tmp_path, capfd, mirror):
    flags = [
        "--dataset=edges2shoes",
        f"--data_dir={tmp_path}",
        f"--mirror={mirror}",
        f"--output={tmp_path}/run",
    ]
    assert train.main(flags) == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith("munit_tf.train: ") and f"{mirror}/edges2shoes.tar.gz is not an http:// or" in line
    assert os.listdir(tmp_path) == []


def test_an_address_that_is_not_ascii(tmp_path, serve):
    config = DataConfig(dataset="edges2shoes", data_dir=str(tmp_path), mirror=f"{serve(b'')}/ü")
    with pytest.raises(InputError, match="cannot fetch http://.*/ü/edges2shoes.tar.gz"):
        registry.open_dataset(config)
    assert os.listdir(tmp_path / "munit_tf") == [".lock"]
