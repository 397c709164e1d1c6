"""Which package may import which, and that importing the package does no work."""

import ast
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "munit_tf"
COMMANDS = {"train", "translate", "export", "evaluate", "explore", "doctor"}
COMMANDS |= {"import_official", "import_weights", "serving_client", "train_classifier"}
# Lowest first: each may import itself and what is named, which stands above it in this table.
MAY_IMPORT = {
    "__init__": set(),
    "errors": set(),
    "terminal": set(),
    "keras_compat": set(),
    "losses": set(),
    "machine": {"errors"},
    "config": {"errors", "terminal"},
    "storage": {"errors", "terminal", "config"},
    "distribution": {"errors", "terminal"},
    "cli": {"errors", "terminal", "machine", "config", "storage"},
    "networks": {"keras_compat", "storage"},
    "data": {"errors", "terminal", "config", "storage"},
    "models": {"errors", "keras_compat", "losses", "machine", "config", "storage", "networks"},
    "metrics": {"errors", "machine", "storage", "networks", "data"},
    "runs": {"errors", "terminal", "config", "storage", "cli", "models"},
    "serving": {"errors", "config", "storage", "networks", "data", "models"},
    "inference": {"errors", "terminal", "config", "storage", "networks", "data", "models", "runs"},
    "training": {"errors", "terminal", "machine", "config", "storage", "distribution", "data", "models"}
    | {"networks", "metrics", "runs"},
    "evaluation": {
        "errors",
        "terminal",
        "config",
        "storage",
        "networks",
        "data",
        "models",
        "metrics",
        "runs",
    },
    "explorer": {"errors", "terminal", "config", "data", "models", "runs", "inference"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def package_of(path):
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


def test_no_package_imports_one_that_stands_below_it_in_the_table():
    names = list(MAY_IMPORT)
    for name, allowed in MAY_IMPORT.items():
        assert allowed <= set(names[: names.index(name)]), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_packages_import_only_what_they_may(path):
    here = package_of(path)
    for name in imports(path):
        if name.startswith("munit_tf."):
            target = name.split(".")[1]
            assert target not in COMMANDS, f"{path} imports the command {target}"
            if here not in COMMANDS:
                assert target == here or target in MAY_IMPORT[here], f"{path} imports {name}"
        top = name.split(".")[0]
        if name.startswith("absl"):
            assert here in COMMANDS | {"cli"}, f"{path} imports {name}"
        if here == "losses":
            allowed = top in ("tensorflow", "collections") or name.startswith("munit_tf.losses")
            assert allowed, f"{path} imports {name}"
        if top == "gradio":
            assert here == "explorer", f"{path} imports {name}"


def test_every_package_has_a_rule():
    assert {package_of(path) for path in FILES} - COMMANDS == set(MAY_IMPORT)


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
