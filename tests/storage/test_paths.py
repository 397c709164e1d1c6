"""URIs, by TensorFlow's file system in memory."""

import pathlib

import pytest
import tensorflow as tf

from munit_tf.cli import command_line
from munit_tf.errors import InputError
from munit_tf.runs import checkpoints, run_folder
from munit_tf.storage import paths
from munit_tf.storage.atomic import atomic_write


def fail(monkeypatch, name, error):
    def failing(*arguments):
        raise error(None, None, "no answer\n\t when reading")

    monkeypatch.setattr(tf.io.gfile, name, failing)


@pytest.mark.parametrize("uri", ["foo://bucket/run", "gs://", "gs:///", "://x"])
def test_what_tensorflow_has_no_file_system_for(uri):
    with pytest.raises(InputError, match=f"^{uri} is on no file system that TensorFlow has here$"):
        paths.to_path(uri)


def test_a_path_of_this_machine_is_pathlibs(tmp_path, monkeypatch):
    assert paths.to_path("runs/x") == pathlib.Path("runs/x")
    monkeypatch.chdir(tmp_path)
    assert paths.absolute("x/") == str(tmp_path / "x")
    assert paths.relative(tmp_path / "x") == pathlib.Path("x")
    assert paths.absolute("gs://bucket/x") == str(paths.relative("gs://bucket/x")) == "gs://bucket/x"


def test_files_and_folders():
    folder = paths.to_path("ram://files/a/")
    file = folder / "b" / "c.txt"
    assert (str(file), file.name, str(file.parent)) == ("ram://files/a/b/c.txt", "c.txt", "ram://files/a/b")
    assert not file.exists() and not folder.is_dir()
    for missing in (file.read_bytes, file.unlink, lambda: list(folder.iterdir())):
        with pytest.raises(FileNotFoundError) as caught:
            missing()
        assert caught.value.filename in (str(file), str(folder)) and caught.value.strerror
    file.unlink(missing_ok=True)
    file.parent.mkdir()
    file.write_bytes("süß".encode())
    with file.open("a") as stream:
        stream.write("!")
    assert file.read_text() == "süß!" and file.is_file() and not file.is_dir()
    assert folder.is_dir() and [str(path) for path in file.parent.iterdir()] == [str(file)]
    paths.remove_tree(file.parent)
    assert not file.exists()


@pytest.mark.parametrize("error", [tf.errors.UnavailableError, tf.errors.PermissionDeniedError])
def test_no_answer_is_not_taken_for_no_run(monkeypatch, error):
    """Otherwise a run would start again in its own folder."""
    fail(monkeypatch, "stat", error)
    with pytest.raises(InputError, match="^ram://silent/checkpoints: no answer when reading$"):
        run_folder.RunFolder("ram://silent").newest_checkpoint()


def test_no_answer_is_not_taken_for_damage(monkeypatch):
    folder = run_folder.RunFolder("ram://notes")
    folder.path.mkdir()
    folder.write_rollbacks([])
    assert folder.read_rollbacks() == []
    fail(monkeypatch, "GFile", tf.errors.UnavailableError)
    with pytest.raises(InputError, match="^ram://notes/rollbacks.json: no answer when reading$"):
        folder.read_rollbacks()


def test_no_folder_is_made_in_a_bucket(monkeypatch):
    """TensorFlow would look for ever for a bucket that is not there."""
    fail(monkeypatch, "makedirs", AssertionError)
    paths.to_path("gs://bucket/run").mkdir()


def test_a_file_is_replaced_whole_or_not_at_all(monkeypatch):
    path = paths.to_path("ram://whole/x")
    path.parent.mkdir()
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as file:
        file.write(b"ha")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    with atomic_write("ram://whole/x", durable=True) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new" and [each.name for each in path.parent.iterdir()] == ["x"]
    fail(monkeypatch, "GFile", tf.errors.NotFoundError)
    with pytest.raises(InputError, match="^ram://whole/x cannot be written: no answer"), atomic_write(path):
        pass


def test_an_unfinished_checkpoint_is_none_and_makes_room():
    """SHA256SUMS, which comes last, is what a kill leaves out."""
    folder = paths.to_path("ram://torn/checkpoints")
    state = {"step": tf.Variable(0, dtype=tf.int64), "weights/x": tf.Variable([0.0])}
    checkpoints.write(folder, 5, state)
    (folder / "step-5" / "SHA256SUMS").unlink()
    assert checkpoints.newest(folder) is None
    manager = checkpoints.CheckpointManager(folder, state, 2)
    for step in (3, 4, 5):
        state["step"].assign(step)
        manager.save()
    assert sorted(path.name for path in folder.iterdir()) == ["step-4", "step-5"]
    assert checkpoints.newest(folder).step == 5


def test_a_flagfile_there_is_read_as_absl_reads_one():
    methods = run_folder.CONFIGS
    paths.to_path("ram://flags/run.flags").write_bytes(b"# A run\n\n  --steps=7\n// more\n--output=/old\n")
    argv = ["--flagfile=ram://flags/run.flags", "--dataset=x"]
    options, _ = command_line.parse(argv, methods)
    assert (options.train.steps, options.train.output) == (7, "ram://flags")
    assert command_line.parse([*argv, "--steps=8", "--output=/new"], methods)[0].train.steps == 8
    with pytest.raises(InputError, match="^--flagfile=ram://flags/none: there is no such file$"):
        command_line.parse(["--flagfile=ram://flags/none"], methods)


@pytest.mark.parametrize(
    "uri, path",
    [
        ("file:///a/b", "/a/b"),
        ("file://localhost/a/b", "/a/b"),
        ("FILE://LOCALHOST/a", "/a"),
        ("file:/a/b", "/a/b"),
        ("file:////a", "/a"),
        ("file:///a%20b/%C3%BC%25?x#y", "/a b/ü%?x#y"),
        ("file:///a/", "/a"),
        ("file:///", "/"),
    ],
)
def test_a_file_uri_is_a_path_on_this_machine(uri, path):
    assert not paths.is_remote(uri)
    assert paths.to_path(uri) == pathlib.Path(path)
    assert paths.absolute(uri) == path
    assert paths.relative(path) == paths.relative(uri)


@pytest.mark.parametrize("uri", ["file://", "file://machine/x", "file://localhost", "file://x", "File://a/b"])
def test_file_uris_of_another_machine_are_refused(uri):
    assert not paths.is_remote(uri)
    for function in (paths.to_path, paths.absolute, paths.relative):
        with pytest.raises(InputError, match=f"^{uri} is not a file on this machine"):
            function(uri)


def test_paths_that_look_like_uris(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert paths.absolute("./file:/x") == str(tmp_path / "file:/x")
    assert paths.absolute("file:x") == str(tmp_path / "file:x")
    assert paths.absolute("a%20b") == str(tmp_path / "a%20b")
    assert paths.to_path(pathlib.Path("file:/x")) == pathlib.Path("file:/x")
    assert not paths.is_remote(pathlib.Path("gs://x"))
    assert (
        paths.is_remote(paths.to_path("ram://x/y")) and paths.to_path(paths.to_path("ram://x/y")).name == "y"
    )


def test_the_home_of_an_unknown_user_is_refused(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert paths.absolute("~/x") == "/home/me/x"
    with pytest.raises(
        InputError, match="^~nobody_of_this_name/x: ~nobody_of_this_name is not a user's home"
    ):
        paths.absolute("~nobody_of_this_name/x")


def test_a_file_uri_is_locked_as_its_folder_is(tmp_path):
    uri = f"file://{tmp_path}/my%20run"
    with run_folder.RunFolder(uri).lock():
        assert (tmp_path / "my run").is_dir()
        with (
            pytest.raises(InputError, match="another process is training in it"),
            run_folder.RunFolder(tmp_path / "my run").lock(),
        ):
            pass


@pytest.mark.parametrize("letter", ["[", "]", "*", "?", "\\"])
def test_what_tensorflow_takes_for_a_pattern_is_refused(letter):
    with pytest.raises(InputError, match="TensorFlow takes"):
        run_folder.RunFolder(f"/runs/a{letter}/x")
