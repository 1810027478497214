"""Bootstrap intervals over cases: of a mean, a median, or a share such as found findings among all findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtrit

Floats = NDArray[np.float64]
StatisticName = Literal["mean", "median", "share"]

CONFIDENCE = 0.95
RESAMPLES = 10_000
FEW_CASES = 6
"""With fewer cases, an interval means little."""

BCA, PERCENTILE, EQUAL = "BCa bootstrap", "percentile bootstrap", "all cases equal"
_VALUES_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Interval:
    """A statistic over cases, with its interval.

    Attributes:
        value: of the statistic over the cases; None if it is undefined.
        low: lower end; None if there is no interval.
        high: upper end.
        cases: number of cases with a value.
        method: how it was found; empty if there is no interval.
        undefined: why there is no interval; empty if there is one.
    """

    value: float | None
    low: float | None
    high: float | None
    cases: int
    method: str = ""
    undefined: str = ""

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 is outside the interval."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval: the ± of it; None if there is none."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


def _share(drawn: Floats) -> Floats:
    sums = drawn.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)


STATISTICS: dict[StatisticName, Callable[[Floats], Floats]] = {
    "mean": lambda drawn: drawn.mean(axis=1),
    "median": lambda drawn: np.median(drawn, axis=1),
    "share": _share,
}
"""Each takes draws of cases ``(draws, cases)``, or ``(draws, cases, 2)`` for a share, and returns ``(draws,)``."""


def bootstrap_interval(
    values: Sequence[float] | ArrayLike,
    statistic: StatisticName = "mean",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval:
    """Return a statistic over cases with its 95 % bootstrap interval.

    The interval is bias-corrected and accelerated (BCa; Efron 1987): whole cases are drawn with replacement. It is
    widened for a small number of cases as a t interval is (Hesterberg 2015): plain bootstrap intervals of 10 cases hold
    the truth in about 91 % of studies instead of 95 %. Where the correction is undefined, it is the percentile
    interval. If all cases have the same value, it is this value alone.

    Args:
        values: one for each case, never one for each frame: the frames of a cine resemble each other. For a share, two
            for each case: the count, such as of found findings, and the count of all.
        statistic: of the cases.
        seed: of the draws.
        resamples: how many times the cases are drawn.

    Example:
        >>> from napari_segcam.statistics.interval import bootstrap_interval
        >>> interval = bootstrap_interval([0.91, 0.84, 0.88, 0.93, 0.79, 0.9, 0.86, 0.92], "median")
        >>> round(interval.value, 2), interval.cases
        (0.89, 8)
    """
    cases = np.asarray(values, np.float64)
    if statistic == "share":
        cases = cases.reshape(-1, 2)
        cases = cases[cases[:, 1] > 0]  # a case without any of them says nothing of the share
    function, count = STATISTICS[statistic], len(cases)
    if not count:
        return Interval(None, None, None, 0, undefined="no case has this figure")
    value = float(function(cases[None])[0])
    if count == 1:
        return Interval(value, None, None, 1, undefined="one case has no spread")
    each = cases[:, 0] / cases[:, 1] if statistic == "share" else cases
    if (each == each[0]).all():
        return Interval(value, value, value, count, EQUAL)
    drawn = (
        _drawn_medians(cases, seed, resamples) if statistic == "median" else _drawn(cases, function, seed, resamples)
    )
    tails = _widened_tails(count)
    shares = _bca_shares(_left_out(cases, function), value, drawn, tails)
    low, high = np.quantile(drawn, ndtr(tails) if shares is None else shares)
    return Interval(value, float(low), float(high), count, PERCENTILE if shares is None else BCA)


def _drawn(cases: Floats, function: Callable[[Floats], Floats], seed: int, resamples: int) -> Floats:
    generator = np.random.default_rng(seed)
    at_once = max(1, _VALUES_AT_ONCE // cases.size)
    parts = [
        function(cases[generator.integers(0, len(cases), (min(at_once, resamples - start), len(cases)))])
        for start in range(0, resamples, at_once)
    ]
    return np.sort(np.concatenate(parts))


def _drawn_medians(cases: Floats, seed: int, resamples: int) -> Floats:
    """Return medians of drawn cases without drawing all of them, which takes a time that does not grow with the cases.

    A drawn case is the ⌊count · u⌋-th of the sorted cases, with u uniform in [0, 1), so only the middle one or two of
    ``count`` sorted uniform numbers are needed. The k-th smallest has the distribution Beta(k, count − k + 1), and the
    next one is the smallest of the others, which are uniform above it (David & Nagaraja 2003, chapter 2).
    """
    generator = np.random.default_rng(seed)
    count = len(cases)
    ordered = np.sort(cases)
    below = (count + 1) // 2  # the place of the lower middle, counted from 1
    first = generator.beta(below, count - below + 1, resamples)
    second = first
    if count % 2 == 0:
        second = 1 - (1 - first) * generator.uniform(size=resamples) ** (1 / (count - below))
    lower, upper = (ordered[np.minimum((u * count).astype(np.intp), count - 1)] for u in (first, second))
    return np.sort((lower + upper) / 2)


def _left_out(cases: Floats, function: Callable[[Floats], Floats]) -> Floats:
    """Return the statistic without each case in turn."""
    count = len(cases)
    others = np.arange(count - 1)
    at_once = max(1, _VALUES_AT_ONCE // cases.size)
    parts = []
    for start in range(0, count, at_once):
        without = np.arange(start, min(start + at_once, count))[:, None]
        parts.append(function(cases[others + (others >= without)]))
    return np.concatenate(parts)


def _widened_tails(count: int) -> Floats:
    """Return the scores of both tails, widened for the number of cases as a t interval is (Hesterberg 2015)."""
    score = np.sqrt(count / (count - 1)) * stdtrit(count - 1, (1 + CONFIDENCE) / 2)
    return np.array([-score, score])


def _bca_shares(left_out: Floats, value: float, drawn: Floats, tails: Floats) -> Floats | None:
    """Return which quantiles of the draws are the ends of the interval; None if that is undefined."""
    below = np.count_nonzero(drawn < value) + np.count_nonzero(drawn == value) / 2  # ties count half
    if not 0 < below < len(drawn):
        return None
    bias = ndtri(below / len(drawn))
    deviations = left_out.mean() - left_out
    spread = (deviations**2).sum() ** 1.5
    if not spread > 0:
        return None
    acceleration = (deviations**3).sum() / (6 * spread)
    scores = bias + tails
    bottom = 1 - acceleration * scores
    if not (bottom > 0).all():  # beyond this the correction turns round
        return None
    shares = ndtr(bias + scores / bottom)
    return shares if np.isfinite(shares).all() else None
