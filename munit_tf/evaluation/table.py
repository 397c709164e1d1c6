"""Results of evaluations as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ROWS = (
    ("lpips", "between_outputs", "LPIPS between outputs"),
    ("lpips", "input_to_output", "LPIPS from input to output"),
    ("l1", "between_outputs", "L1 between outputs"),
    ("fid", "value", "FID"),
    ("fid", "untranslated", "FID of untranslated inputs"),
    ("kid", "mean", "KID"),
    ("kid", "std", "KID's std over subsets"),
    ("precision_recall", "precision", "precision"),
    ("precision_recall", "recall", "recall"),
    ("density_coverage", "density", "density"),
    ("density_coverage", "coverage", "coverage"),
    ("inception_score", "mean", "Inception Score"),
    ("inception_score", "std", "Inception Score's std"),
    ("is", "mean_kl", "IS, mean KL"),
    ("is", "exp_mean_kl", "IS, exp of mean KL"),
    ("cis", "mean_kl", "CIS, mean KL"),
    ("cis", "exp_mean_kl", "CIS, exp of mean KL"),
    ("accuracy", "translations", "accuracy, translations"),
    ("accuracy", "real", "accuracy, real images"),
    ("reconstruction", "l1", "reconstruction L1"),
    ("reconstruction", "psnr", "reconstruction PSNR, dB"),
    ("cycle", "l1", "cycle L1"),
    ("cycle", "psnr", "cycle PSNR, dB"),
    ("style", "frechet", "styles to N(0, I), Frechet"),
    ("style", "mean_norm", "styles, length of mean"),
    ("style", "std", "styles, std"),
    ("target_lpips", "mean", "LPIPS to the true image"),
    ("target_lpips", "best", "LPIPS, best output"),
    ("target_l1", "mean", "L1 to the true image"),
    ("target_l1", "best", "L1, best output"),
    ("shapes", "content_iou", "shapes, content IoU"),
    ("shapes", "hue_entropy", "shapes, hue entropy"),
    ("shapes", "guided_hue_error", "shapes, guided hue error"),
)
_LABEL_WIDTH = 30
_SMALLEST_COLUMN = 12


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A table with one column per run and direction, as text.

    Args:
        results: {name of a run: contents of its `evaluation.json`}.
    """
    columns = _columns(results)
    widths = [max(len(run), _SMALLEST_COLUMN) + 2 for run, _, _ in columns]
    heads = [["", *(column[i] for column in columns)] for i in (0, 1)]
    return "\n".join(
        f"{label:<{_LABEL_WIDTH}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths))
        for label, *cells in [*heads, *_values(columns)]
    )


def measures(results: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """The rows of the same table; the first names the columns.

    Args:
        results: as for `table`.
    """
    columns = _columns(results)
    head = [f"{run}, {direction}" if len(results) > 1 else direction for run, direction, _ in columns]
    return [["", *head], *_values(columns)]


def _columns(results):
    return [
        (run, direction, result["directions"][direction]["metrics"])
        for run, result in results.items()
        for direction in result["directions"]
    ]


def _values(columns):
    """[label, text of the first column, ...] of each metric that a column has."""
    rows = []
    for metric, key, label in _ROWS:
        values = [metrics.get(metric, {}).get(key) for _, _, metrics in columns]
        if any(value is not None for value in values):
            rows.append([label, *map(_text, values)])
    return rows


def _text(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}"
