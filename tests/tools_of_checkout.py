"""Tools of the checkout as modules."""

import importlib.util
import pathlib
import sys

FOLDER = pathlib.Path(__file__).parent.parent / "tools"


def tool(name):
    """The module of `tools/NAME.py`, which is not part of the package."""
    if f"tools.{name}" not in sys.modules:
        spec = importlib.util.spec_from_file_location(f"tools.{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    return sys.modules[f"tools.{name}"]
