"""Bootstrap over cases: frames of one cine resemble each other, so only whole cases are drawn again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.review.agreement.estimate import LEVEL, Estimate

Floats = NDArray[np.float64]

_MOST_UNDEFINED = 0.1
_BATCH = 4_000_000  # numbers in memory at once
_EXACT = 1e-12
_FEW = 10


def by_cluster(rows: NDArray[np.generic], clusters: Sequence[Hashable]) -> Floats:
    """Return the sum of the rows of each cluster, ``(clusters, ...)``, in the order in which clusters first appear."""
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    sums = np.zeros((len(numbers), *rows.shape[1:]))
    np.add.at(sums, [numbers[cluster] for cluster in clusters], rows)
    return sums


@dataclass(frozen=True)
class Bootstrap:
    """How cases are resampled.

    The interval is the percentile interval of Efron (1979): cases are drawn with replacement, as many as there are.

    Attributes:
        resamples: how often.
        seed: of the random numbers; the same seed gives the same interval.
    """

    resamples: int = 2000
    seed: int = 0

    def estimate(self, sums: Floats, statistic: Callable[[Floats], Floats], n: int) -> Estimate:
        """Return a statistic with its interval.

        Args:
            sums: ``(cases, ...)``: what the statistic needs, summed over the units of each case.
            statistic: turns sums over cases ``(..., *sums.shape[1:])`` into values ``(...)``; NaN where undefined.
            n: how many units there are.
        """
        cases = len(sums)
        value = _call(statistic, sums.sum(0))
        if np.isnan(value):
            raise ValueError("the statistic is undefined; say why before estimating an interval")
        if cases < 2:
            return Estimate(float(value), n=n, cases=cases, interval="none: it takes two cases or more")
        drawn = self._values(sums, statistic)
        defined = drawn[~np.isnan(drawn)]
        missing = len(drawn) - len(defined)
        if missing > _MOST_UNDEFINED * len(drawn):
            why = f"none: undefined in {missing} of {len(drawn)} resamples of so few cases"
            return Estimate(float(value), n=n, cases=cases, interval=why)
        tail = (1 - LEVEL) / 2
        lower, upper = (float(bound) for bound in np.quantile(defined, (tail, 1 - tail)))
        lower, upper = (float(value) if abs(bound - value) < _EXACT else bound for bound in (lower, upper))
        how = f"bootstrap over {cases} cases, {LEVEL:.0%}, seed {self.seed}"
        if missing:
            how += f"; {missing} of {len(drawn)} resamples are undefined and left out"
        if lower == upper:
            how += "; all cases agree, which says little about other cases"
        elif cases < _FEW:
            how += f"; likely too narrow, with fewer than {_FEW} cases"
        return Estimate(float(value), lower, upper, n, cases, interval=how)

    def _values(self, sums: Floats, statistic: Callable[[Floats], Floats]) -> Floats:
        cases = len(sums)
        flat = sums.reshape(cases, -1)
        generator = np.random.default_rng(self.seed)
        size = max(1, _BATCH // max(cases, flat.shape[1]))
        values = []
        for first in range(0, self.resamples, size):
            count = min(size, self.resamples - first)
            drawn = generator.multinomial(cases, np.full(cases, 1 / cases), size=count)
            values.append(_call(statistic, (drawn @ flat).reshape(count, *sums.shape[1:])))
        return np.concatenate(values)


def _call(statistic: Callable[[Floats], Floats], sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(statistic(sums))
