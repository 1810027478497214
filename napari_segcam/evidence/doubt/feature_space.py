"""Distances between features, in units of their spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_REFERENCES = 5


def squared_distances(features: NDArray[np.floating], references: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the squared distance of each of the features to each reference, ``(N, R)``.

    Each feature counts in units of its spread among the references; one without a spread does not count.

    Args:
        features: ``(N, K)``.
        references: ``(R, K)``.
    """
    center, spread = references.mean(0), references.std(0)
    scale = np.where(spread > 1e-6 * max(float(spread.max()), 1e-12), spread, np.inf)
    own, others = ((points.astype(np.float64) - center) / scale for points in (features, references))
    # without an array of N × R × K, which of a thousand cases would not fit into memory
    squares = (own**2).sum(1)[:, None] + (others**2).sum(1)[None] - 2 * own @ others.T
    return np.asarray(np.maximum(squares, 0), np.float64)
