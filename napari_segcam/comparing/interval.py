"""Bootstrap interval of a mean over cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

CONFIDENCE = 0.95
RESAMPLES = 10_000
FEW_CASES = 6
"""With fewer cases, an interval means little."""

BCA, PERCENTILE, EQUAL = "BCa bootstrap", "percentile bootstrap", "all cases equal"
_VALUES_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Interval:
    """The mean of a value over cases, with its interval.

    Attributes:
        mean: over the cases; None without a case.
        low: lower end; None if there is no interval.
        high: upper end.
        cases: number of cases with a value.
        method: how it was found; empty if there is no interval.
        undefined: why there is no interval; empty if there is one.
    """

    mean: float | None
    low: float | None
    high: float | None
    cases: int
    method: str = ""
    undefined: str = ""

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 is outside the interval."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def bootstrap_interval(values: Sequence[float], seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Return the mean over cases with its 95 % bootstrap interval.

    The interval is bias-corrected and accelerated (BCa; Efron 1987): cases are drawn with replacement. Where the
    correction is undefined, it is the percentile interval. If all cases have the same value, it is this value alone.

    Args:
        values: one for each case, never one for each frame: the frames of a cine resemble each other.
        seed: of the draws.
        resamples: how many times the cases are drawn.
    """
    cases = np.asarray(values, np.float64)
    count = len(cases)
    if not count:
        return Interval(None, None, None, 0, undefined="no case has this figure")
    if count == 1:
        return Interval(float(cases[0]), None, None, 1, undefined="one case has no spread")
    if (cases == cases[0]).all():
        return Interval(float(cases[0]), float(cases[0]), float(cases[0]), count, EQUAL)
    mean = float(cases.mean())
    means = np.sort(_resampled_means(cases, seed, resamples))
    tails = np.array([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    shares = _bca_shares(cases, mean, means, tails)
    method = PERCENTILE if shares is None else BCA
    low, high = np.quantile(means, tails if shares is None else shares)
    return Interval(mean, float(low), float(high), count, method)


def _resampled_means(cases: NDArray[np.float64], seed: int, resamples: int) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    at_once = max(1, _VALUES_AT_ONCE // len(cases))
    parts = [
        cases[generator.integers(0, len(cases), (min(at_once, resamples - start), len(cases)))].mean(axis=1)
        for start in range(0, resamples, at_once)
    ]
    return np.concatenate(parts)


def _bca_shares(
    cases: NDArray[np.float64], mean: float, means: NDArray[np.float64], tails: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return which quantiles of the resampled means are the ends of the interval; None if that is undefined."""
    below = np.count_nonzero(means < mean) + np.count_nonzero(means == mean) / 2  # ties count half
    if not 0 < below < len(means):
        return None
    bias = ndtri(below / len(means))
    left_out = (cases.sum() - cases) / (len(cases) - 1)  # the mean without each case in turn
    deviations = left_out.mean() - left_out
    spread = (deviations**2).sum() ** 1.5
    if not spread > 0:
        return None
    acceleration = (deviations**3).sum() / (6 * spread)
    scores = bias + ndtri(tails)
    shares = ndtr(bias + scores / (1 - acceleration * scores))
    return shares if np.isfinite(shares).all() else None
