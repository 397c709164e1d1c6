"""The plot of a run's validations."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from munit_tf.errors import InputError
from munit_tf.storage.atomic import atomic_write
from munit_tf.storage.paths import RemotePath
from munit_tf.training.validation_measures import PREFIX

_PANELS = (
    ("kid", "KID (lower is better)"),
    ("diversity", "diversity, L1 between styles"),
    ("content", "content kept"),
)
_NAMES = {"a": "b to a", "b": "a to b"}
_COLORS = {"a": "tab:orange", "b": "tab:blue"}
_WIDTH, _PANEL_HEIGHT, _DPI = 8, 2.6, 100


def require() -> None:
    """Raises InputError if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("--validate_every needs matplotlib: pip install matplotlib")


def draw(
    path: str | os.PathLike | RemotePath, rows: Sequence[Mapping[str, Any]], best_step: int | None
) -> None:
    """Writes a PNG file of 800 pixels' width: KID, diversity and content over the steps.

    A measure that the method does not have is left out.

    Args:
        path: the file.
        rows: the rows of the log that hold validations, at least one.
        best_step: the step of the best checkpoint, which a line marks, or None.

    Raises:
        InputError: the file cannot be written.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # It writes lines about its caches.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [(name, label) for name, label in _PANELS if any(_curves(rows, name).values())]
    figure = Figure(figsize=(_WIDTH, _PANEL_HEIGHT * len(panels)), dpi=_DPI, layout="constrained")
    all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, label) in zip(all_axes, panels):
        _draw_panel(axes, name, _curves(rows, name), label, best_step)
    all_axes[-1].set_xlabel("steps")
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    FigureCanvasAgg(figure)
    with atomic_write(path) as file:
        figure.savefig(file, format="png")


def _curves(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, list[tuple[int, float]]]:
    """{domain: [(step, value), ...]} of a measure."""
    keys = {domain: f"{PREFIX}{name}/{domain}" for domain in "ba"}
    return {domain: [(row["step"], row[key]) for row in rows if key in row] for domain, key in keys.items()}


def _draw_panel(
    axes: Any, name: str, curves: Mapping[str, Sequence[tuple[int, float]]], label: str, best_step: int | None
) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    for domain, points in curves.items():
        if points:
            marker = "o" if len(points) < 60 else ""
            axes.plot(*zip(*points), marker=marker, markersize=4, label=_NAMES[domain], color=_COLORS[domain])
    if best_step is not None:
        axes.axvline(best_step, color="gray", linestyle="--", linewidth=1, label=f"best: {best_step:,}")
    if name == "kid" and all(value > 0 for points in curves.values() for _, value in points):
        # Directions can differ by orders of magnitude. Only some values get labels.
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.xaxis.set_major_formatter(lambda step, position: f"{step:,.0f}")
    # Plain text: matplotlib's fonts for mathematics can fail.
    axes.yaxis.set_major_formatter(lambda value, position: f"{value:g}")
