"""Spearman's rank correlation of two maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def spearman(first: NDArray[np.generic], second: NDArray[np.generic]) -> float | None:
    """Return Spearman's rank correlation over all pixels, mean ranks for ties (Spearman 1904).

    None if one is flat, or holds values that are not numbers.
    """
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return None
    ranks = [rankdata(values, axis=None).astype(np.float64) for values in (first, second)]
    ranks = [values - values.mean() for values in ranks]
    norm = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / norm if norm else None
