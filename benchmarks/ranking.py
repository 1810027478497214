"""How well a measure of doubt ranks bad masks: area under the risk–coverage curve, with an interval over cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

Values = NDArray[np.float64]


def risk_coverage_area(doubt: Values, risk: Values) -> float:
    """Return the area under the risk–coverage curve (Geifman & El-Yaniv 2017, arXiv:1705.08500).

    That is the mean, over all numbers n, of the mean risk of the n least doubtful frames. Frames of equal doubt count
    with their mean risk, as if in random order. Random order has the mean risk of all frames.

    Args:
        doubt: ``(N,)``.
        risk: ``(N,)``, 1 − Dice.
    """
    _, group, count = np.unique(doubt, return_inverse=True, return_counts=True)
    fair = (np.bincount(group, risk) / count)[group]
    ranked = fair[np.argsort(doubt, kind="stable")]
    return float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1)).mean())


def ratio_to_random(doubt: Values, risk: Values) -> float:
    """Return the area under the risk–coverage curve as a share of that of random order: 1 is useless."""
    return risk_coverage_area(doubt, risk) / float(risk.mean())


def resamples(sources: Sequence[str], draws: int = 1000, seed: int = 0) -> list[NDArray[np.intp]]:
    """Return numbers of cases for a bootstrap over their sources: cases of one patient are drawn together."""
    names = sorted(set(sources))
    numbers = {name: np.flatnonzero(np.array(sources) == name) for name in names}
    rng = np.random.default_rng(seed)
    return [np.concatenate([numbers[names[i]] for i in rng.integers(0, len(names), len(names))]) for _ in range(draws)]


def interval(statistic: Callable[[NDArray[np.intp]], float], draws: Sequence[NDArray[np.intp]]) -> tuple[float, float]:
    """Return the 95 % interval of a statistic over resamples."""
    low, high = np.percentile([statistic(numbers) for numbers in draws], [2.5, 97.5])
    return float(low), float(high)


def correlation_with_dice(doubt: Values, risk: Values) -> float:
    """Return Spearman's correlation of certainty, −doubt, with Dice; 0 where one of them is the same everywhere."""
    correlation = float(spearmanr(-doubt, 1 - risk).statistic)
    return 0.0 if np.isnan(correlation) else correlation
