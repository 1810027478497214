"""Proportions: how many of the cases, or of the frames, with an interval."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from napari_segcam.review.agreement.bootstrap import Bootstrap, by_cluster
from napari_segcam.review.agreement.estimate import LEVEL, Estimate

_Z = 1.959963984540054  # of the normal distribution, for LEVEL
_WILSON = f"Wilson, {LEVEL:.0%}"


def wilson(count: int, total: int) -> Estimate:
    """Return a proportion of independent units with the interval of Wilson (1927).

    Args:
        count: of the units that have the property.
        total: of all units, each from a case of its own.
    """
    if not total:
        return Estimate.undefined("there is nothing to count")
    share = count / total
    center = (share + _Z**2 / (2 * total)) / (1 + _Z**2 / total)
    half = _Z / (1 + _Z**2 / total) * math.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    lower = 0.0 if count == 0 else center - half  # exactly, without the rounding
    upper = 1.0 if count == total else center + half
    return Estimate(share, lower, upper, total, total, interval=_WILSON)


def clustered_share(values: Sequence[bool], cases: Sequence[Hashable], bootstrap: Bootstrap) -> Estimate:
    """Return the share of units with a property, with an interval that resamples cases, never their frames.

    If every case has one unit, the interval is Wilson's.

    Args:
        values: whether each unit has the property.
        cases: the case of each unit.
        bootstrap: how cases are resampled.
    """
    if not values:
        return Estimate.undefined("there is nothing to count")
    if len(set(cases)) == len(values):
        return wilson(sum(values), len(values))
    rows = np.stack([np.asarray(values, float), np.ones(len(values))], axis=1)
    sums = by_cluster(rows, cases)
    return bootstrap.estimate(sums, lambda totals: totals[..., 0] / totals[..., 1], len(values))


def clustered_mean(values: Sequence[float], cases: Sequence[Hashable], bootstrap: Bootstrap) -> Estimate:
    """Return the mean over cases of each case's mean, with an interval that resamples cases.

    Args:
        values: of each unit, such as the Dice of each frame.
        cases: the case of each unit.
        bootstrap: how cases are resampled.
    """
    if not values:
        return Estimate.undefined("there is no value")
    sums = by_cluster(np.stack([np.asarray(values, float), np.ones(len(values))], axis=1), cases)
    means = np.stack([sums[:, 0] / sums[:, 1], np.ones(len(sums))], axis=1)
    return bootstrap.estimate(means, lambda totals: totals[..., 0] / totals[..., 1], len(values))
