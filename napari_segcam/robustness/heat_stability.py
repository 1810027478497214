"""Stability of a heatmap: how much that of a perturbed frame is like that of the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.evidence.ranks import spearman

HOTTEST = 0.1
"""Part of the pixels that count as the hottest."""

FLAT = "a heatmap is the same everywhere"


@dataclass(frozen=True)
class HeatStability:
    """How much two heatmaps of a frame are alike.

    Attributes:
        correlation: Spearman's rank correlation over the pixels that both show; None if it is undefined.
        overlap: Dice of the hottest tenths of these pixels; None if it is undefined.
        undefined: why; empty if they are defined.
    """

    correlation: float | None
    overlap: float | None
    undefined: str = ""


def heat_stability(first: NDArray[np.generic], second: NDArray[np.generic], seen: NDArray[np.bool_]) -> HeatStability:
    """Compare two heatmaps ``(Y, X)`` of one frame, over the pixels ``(Y, X)`` that both show."""
    a, b = np.asarray(first, np.float64)[seen], np.asarray(second, np.float64)[seen]
    correlation = spearman(a, b) if a.size else None
    if correlation is None:
        return HeatStability(None, None, FLAT)
    hot_a, hot_b = hottest(a), hottest(b)
    return HeatStability(correlation, float(2 * (hot_a & hot_b).sum() / (hot_a.sum() + hot_b.sum())))


def hottest(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which values are in the hottest tenth; none is that equals the smallest one.

    Values that equal its limit are all in it: in a map that is mostly 0, the tenth would else be chosen by chance.
    """
    return np.asarray((values >= np.quantile(values, 1 - HOTTEST)) & (values > values.min()))
