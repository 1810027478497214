"""Paired values of cases: their means, and the mean difference with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.reporting.run_format import Row
from napari_segcam.statistics.interval import bootstrap_interval

PAIRED_COLUMNS: dict[str, type] = {
    "this": float,
    "other": float,
    "difference": float,
    "low": float,
    "high": float,
    "interval": str,
    "cases": int,
}
"""The columns of ``paired_cells``, with the type of a defined value."""


def paired_cells(pairs: Sequence[tuple[float, float]], seed: int) -> Row:
    """Return the means of paired values and of their differences, with the columns of ``PAIRED_COLUMNS``.

    Args:
        pairs: this value and the other, one pair for each case that has both.
        seed: of the interval.
    """
    interval = bootstrap_interval([this - other for this, other in pairs], "mean", seed)
    return {
        "this": sum(this for this, _ in pairs) / len(pairs) if pairs else None,
        "other": sum(other for _, other in pairs) / len(pairs) if pairs else None,
        "difference": interval.value,
        "low": interval.low,
        "high": interval.high,
        "interval": interval.method or interval.undefined,
        "cases": interval.cases,
    }
