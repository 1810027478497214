"""Probabilities of a class in bins: how many pixels each bin has, and how many of them are true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = tuple(step / 20 for step in range(1, 20))
"""The inner edges of the bins: 0.05 to 0.95. A bin holds its upper edge, since a mask is what is above a threshold."""

_EDGES = np.array(THRESHOLDS, np.float32)  # as a mask is cut: the probabilities are of single precision


@dataclass(frozen=True)
class ProbabilityBins:
    """Pixels of a frame by their probability, in 20 bins of equal width.

    Attributes:
        pixels: how many pixels are in each bin.
        true: how many of them are in the true mask.
        total: sum of their probabilities.
    """

    pixels: NDArray[np.int64]
    true: NDArray[np.int64]
    total: NDArray[np.float64]


def probability_bins(probabilities: NDArray[np.float32], truth: NDArray[np.bool_]) -> ProbabilityBins:
    """Sort the pixels of a frame into bins.

    Args:
        probabilities: ``(Y, X)`` of one class, finite.
        truth: ``(Y, X)`` bool.
    """
    values, true = probabilities.ravel().astype(np.float32, copy=False), truth.ravel()
    above = values > _EDGES[0]  # most of a frame is background in the first bin, for which nothing has to be searched
    searched = values[above]
    bins = np.searchsorted(_EDGES, searched, side="left")
    counts = [np.bincount(each, minlength=len(_EDGES) + 1) for each in (bins, bins[true[above]])]
    total = np.bincount(bins, searched, minlength=len(_EDGES) + 1).astype(np.float64, copy=False)
    for each, size in zip(counts, (values.size, np.count_nonzero(true)), strict=True):
        each[0] = size - each.sum()
    total[0] = values[~above].sum(dtype=np.float64)
    return ProbabilityBins(counts[0], counts[1], total)
