"""Medians: of seconds and areas, which are skewed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom

from napari_segcam.review.agreement.estimate import LEVEL, Estimate


def median(values: Sequence[float]) -> Estimate:
    """Return the median of one value a case, with the interval from order statistics (Conover 1999).

    The bounds are values themselves, so the interval assumes no distribution; it takes six values or more.
    """
    if not values:
        return Estimate.undefined("there is no value")
    ordered = np.sort(np.asarray(values, float))
    n, tail = len(ordered), (1 - LEVEL) / 2
    middle = float(np.median(ordered))
    rank = int(binom.ppf(tail, n, 0.5))  # the most values below it that are no surprise
    rank = rank if binom.cdf(rank, n, 0.5) <= tail else rank - 1
    if rank < 0:
        return Estimate(middle, n=n, cases=n, interval="none: it takes six cases or more")
    how = f"order statistics, {LEVEL:.0%} or more"
    return Estimate(middle, float(ordered[rank]), float(ordered[n - 1 - rank]), n, n, interval=how)


def quartiles(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the lower and the upper quartile; None without a value."""
    if not values:
        return None
    lower, upper = np.quantile(np.asarray(values, float), (0.25, 0.75))
    return float(lower), float(upper)
