"""Agreement of more than two raters: Fleiss' κ, and Krippendorff's α, which allows for missing ratings."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_segcam.review.agreement.bootstrap import Bootstrap, Floats, by_cluster
from napari_segcam.review.agreement.estimate import Estimate

Level = Literal["nominal", "ordinal"]
Ratings = Sequence[Sequence[Hashable | None]]
"""The ratings of each unit, one a rater; None where there is none."""


def fleiss_kappa(
    ratings: Ratings,
    cases: Sequence[Hashable],
    categories: Sequence[Hashable],
    *,
    bootstrap: Bootstrap | None = None,
) -> Estimate:
    """Return Fleiss' κ (1971) of all units that every rater rated.

    It is defined for equally many ratings of each unit, so a unit that misses one is left out;
    ``krippendorff_alpha`` uses these too. κ is undefined, and never 0 or 1, if only one category was used.

    Args:
        ratings: of each unit; all of the same length.
        cases: the case of each unit; the interval resamples cases.
        categories: all of them.
        bootstrap: how cases are resampled.
    """
    raters = len(ratings[0]) if ratings else 0
    if raters < 2:
        return Estimate.undefined("it takes two raters or more")
    complete = [
        (unit, case) for unit, case in zip(ratings, cases, strict=True) if all(rating is not None for rating in unit)
    ]
    if not complete:
        return Estimate.undefined(f"no unit was rated by all {raters} raters")
    counts = _counts([unit for unit, _ in complete], categories)
    clusters = [case for _, case in complete]
    agreed = ((counts**2).sum(1) - raters) / (raters * (raters - 1))
    sums = by_cluster(np.column_stack([agreed, np.ones(len(counts)), counts]), clusters)
    if (reason := _one_category(counts, categories)) is not None:
        return Estimate.undefined(reason, len(counts), len(sums))
    return (bootstrap or Bootstrap()).estimate(sums, _fleiss, len(counts))


def krippendorff_alpha(
    ratings: Ratings,
    cases: Sequence[Hashable],
    categories: Sequence[Hashable],
    *,
    level: Level = "nominal",
    bootstrap: Bootstrap | None = None,
) -> Estimate:
    """Return Krippendorff's α (2011) of all units that two raters or more rated.

    α is undefined, and never 0 or 1, if only one category was used.

    Args:
        ratings: of each unit; ratings may be missing.
        cases: the case of each unit; the interval resamples cases.
        categories: all of them, in order if ordinal.
        level: of measurement: ``nominal`` or ``ordinal``.
        bootstrap: how cases are resampled.
    """
    kept = [
        (unit, case)
        for unit, case in zip(ratings, cases, strict=True)
        if sum(rating is not None for rating in unit) >= 2
    ]
    if not kept:
        return Estimate.undefined("no unit was rated by two raters")
    counts = _counts([unit for unit, _ in kept], categories)
    clusters = [case for _, case in kept]
    pairs = counts[:, :, None] * counts[:, None, :] - np.eye(len(categories)) * counts[:, :, None]
    coincidences = pairs / (counts.sum(1) - 1)[:, None, None]
    sums = by_cluster(coincidences, clusters)
    if (reason := _one_category(counts, categories)) is not None:
        return Estimate.undefined(reason, len(counts), len(sums))
    return (bootstrap or Bootstrap()).estimate(sums, lambda tables: _alpha(tables, level), len(counts))


def _counts(ratings: Ratings, categories: Sequence[Hashable]) -> Floats:
    """Return how many raters put each unit into each category, ``(units, k)``."""
    return np.array(
        [[sum(rating == category for rating in unit) for category in categories] for unit in ratings], float
    )


def _one_category(counts: NDArray[np.float64], categories: Sequence[Hashable]) -> str | None:
    used = np.flatnonzero(counts.sum(0))
    if len(used) > 1:
        return None
    return f"all raters used one category only, “{categories[used[0]]}”: chance alone explains full agreement"


def _fleiss(sums: Floats) -> Floats:
    """Return κ of ``(..., 2 + k)``: summed agreements of the units, number of units, ratings in each category."""
    observed = sums[..., 0] / sums[..., 1]
    counts = sums[..., 2:]
    by_chance = ((counts / counts.sum(-1, keepdims=True)) ** 2).sum(-1)
    single = (counts > 0).sum(-1) < 2
    return np.where(single, np.nan, (observed - by_chance) / np.where(single, 1, 1 - by_chance))


def _alpha(tables: Floats, level: Level) -> Floats:
    """Return α of coincidence matrices ``(..., k, k)``; NaN where it is undefined."""
    totals = tables.sum(-1)
    n = totals.sum(-1)
    distances = _squared_distances(totals, level)
    by_chance = (totals[..., :, None] * totals[..., None, :] * distances).sum((-2, -1))
    seen = (tables * distances).sum((-2, -1))
    return np.where(by_chance > 0, 1 - (n - 1) * seen / by_chance, np.nan)


def _squared_distances(totals: Floats, level: Level) -> Floats:
    k = totals.shape[-1]
    if level == "nominal":
        return np.broadcast_to(1 - np.eye(k), (*totals.shape[:-1], k, k))
    # Between two ordered categories lie all ratings in between, and half of those in the two themselves.
    middles = np.cumsum(totals, -1) - totals / 2
    return (middles[..., :, None] - middles[..., None, :]) ** 2
