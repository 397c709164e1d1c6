"""The curves of a run's log."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

# Beginnings of names in the log.
_PANELS = (
    ("adversarial losses", ("adv_",)),
    ("reconstruction losses", ("recon_", "cycle_")),
    ("diversity: L1 between styles", ("diversity/", "validation/diversity/")),
    ("KID of validations", ("validation/kid/",)),
    ("content kept in validations", ("validation/content/",)),
)
_WIDTH, _PANEL_HEIGHT, _DPI = 9, 2.4, 100
# From this ratio of the largest to the smallest value on, the scale is logarithmic.
_WIDE = 100


def draw(rows: Sequence[Mapping[str, Any]]) -> Image.Image | None:
    """The numbers of a log over its steps, in panels of 900 pixels' width; None if it has none of them.

    Args:
        rows: the rows of `log.jsonl`.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # It writes lines about its caches.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = sorted({name for row in rows for name in row})
    panels = [
        (title, [name for name in names if name.startswith(beginnings)]) for title, beginnings in _PANELS
    ]
    panels = [(title, names) for title, names in panels if names]
    if not panels:
        return None
    figure = Figure(figsize=(_WIDTH, _PANEL_HEIGHT * len(panels)), dpi=_DPI, layout="constrained")
    for axes, (title, names) in zip(
        figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0], panels
    ):
        for name in names:
            axes.plot(
                *zip(*((row["step"], row[name]) for row in rows if name in row)), label=name, linewidth=1
            )
        values = [row[name] for row in rows for name in names if name in row]
        if min(values) > 0 and max(values) > _WIDE * min(values):
            axes.set_yscale("log")
        axes.set_title(title, loc="left", fontsize="medium")
        axes.grid(alpha=0.3)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize="small")
        axes.xaxis.set_major_formatter(lambda step, position: f"{step:,.0f}")
        # Plain text: matplotlib's fonts for mathematics can fail.
        axes.yaxis.set_major_formatter(lambda value, position: f"{value:g}")
    axes.set_xlabel("steps")
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Image.open(file).convert("RGB")
