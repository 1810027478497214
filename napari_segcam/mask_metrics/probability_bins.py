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
    count = len(_EDGES) + 1
    bins = np.searchsorted(_EDGES, probabilities.ravel().astype(np.float32, copy=False), side="left")
    return ProbabilityBins(
        np.bincount(bins, minlength=count),
        np.bincount(bins[truth.ravel()], minlength=count),
        np.bincount(bins, probabilities.ravel(), minlength=count).astype(np.float64, copy=False),
    )
