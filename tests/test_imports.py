"""Who may import whom, and that importing the package does no work."""

import ast
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "munit_tf"
COMMANDS = {"train", "translate", "export", "evaluate", "explore"}
# For each room what it may import of the package; a room may always import itself.
MAY_IMPORT = {
    "__init__": set(),
    "compat": set(),
    "terminal": set(),
    "config": {"terminal"},
    "machine": {"config"},
    "padding": set(),
    "tracing": set(),
    "paths": {"config"},
    "flagfiles": {"config", "paths"},
    "whole_files": {"config", "paths", "terminal"},
    "json_files": {"config", "paths"},
    "run_log": {"config", "json_files", "paths", "whole_files", "terminal"},
    "pictures": set(),
    "style_codes": {"config", "paths"},
    "help_pages": {"config"},
    "command_line": {"config", "help_pages", "machine", "paths", "flagfiles", "terminal"},
    "losses": set(),
    "networks": {"compat", "json_files", "tracing"},
    "data": {"config", "paths", "terminal"},
    "models": {"networks", "losses", "config", "compat", "machine", "style_codes", "tracing"},
    "checkpoints": {"config", "paths", "whole_files", "terminal"},
    "runs": {"models", "config", "command_line", "checkpoints", "paths", "whole_files", "terminal"}
    | {"json_files", "run_log"},
    "serving": {"config", "data", "padding", "style_codes", "tracing", "whole_files"},
    "training": {"runs", "models", "data", "config", "machine", "pictures", "checkpoints", "whole_files"}
    | {"terminal"},
    "translation": {"runs", "models", "data", "config", "pictures", "padding", "style_codes", "whole_files"}
    | {"json_files"},
    "exploring": {"translation", "runs", "models", "data", "config", "pictures", "style_codes"}
    | {"terminal"},
    "evaluation": {"networks", "config", "json_files"},
    "scoring": {"evaluation", "networks", "runs", "models", "data", "config", "pictures"}
    | {"json_files", "paths", "whole_files"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path):
    """Full names of all that a file imports, inside functions, too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert all(alias.name != "*" for alias in node.names), f"{path}: star import"
            if node.module == "munit_tf":
                yield from (f"munit_tf.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_import_only_what_they_may(path):
    here = room(path)
    for name in imports(path):
        if name.startswith("munit_tf."):
            target = name.split(".")[1]
            assert target not in COMMANDS, f"{path} imports the command {target}"
            if here not in COMMANDS:
                assert target == here or target in MAY_IMPORT[here], f"{path} imports {name}"
        top = name.split(".")[0]
        if name.startswith("absl"):
            assert here in COMMANDS | {"command_line"}, f"{path} imports {name}"
        if here == "losses":
            assert top == "tensorflow" or name.startswith("munit_tf.losses"), f"{path} imports {name}"
        if top == "gradio":
            assert path.name in ("server.py", "page.py", "wiring.py", "acts.py") and here == "exploring"


def test_every_room_has_a_rule():
    assert {room(path) for path in FILES} - COMMANDS == set(MAY_IMPORT)


def test_importing_the_package_does_no_work():
    """Neither TensorFlow nor absl is imported, so no device is set up and no flag defined."""
    code = (
        "import sys, munit_tf; "
        "assert not {'tensorflow', 'keras', 'absl'} & set(sys.modules), sorted(sys.modules); "
        "assert callable(munit_tf.create) and callable(munit_tf.load) and 'munit' in munit_tf.METHODS; "
        "import tensorflow as tf; from tensorflow.python.eager import context; "
        "assert not context.context()._initialized; "
        "from absl import flags; assert 'dataset' not in flags.FLAGS; print('fine')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "fine\n", result.stderr
