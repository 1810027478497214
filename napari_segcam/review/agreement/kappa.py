"""Cohen's κ: how much more often two raters agree than by chance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_segcam.review.agreement.bootstrap import Bootstrap, Floats, by_cluster
from napari_segcam.review.agreement.estimate import Estimate
from napari_segcam.review.agreement.proportion import clustered_share

Weights = Literal["none", "linear", "quadratic"]


@dataclass(frozen=True)
class PairAgreement:
    """How two raters agree.

    Attributes:
        kappa: Cohen's κ.
        observed: the share of units on which both gave the same rating.
        table: ``(k, k)`` counts: rows are the first rater's categories, columns the second's.
        missing: units that only one of them rated, or neither; they are left out.
    """

    kappa: Estimate
    observed: Estimate
    table: Floats
    missing: int


def cohen_kappa(
    first: Sequence[Hashable | None],
    second: Sequence[Hashable | None],
    cases: Sequence[Hashable],
    categories: Sequence[Hashable],
    *,
    weights: Weights = "none",
    bootstrap: Bootstrap | None = None,
) -> PairAgreement:
    """Measure the agreement of two raters: κ = 1 − Σ w O / Σ w E (Cohen 1960, 1968).

    O are the observed pairs, E those expected from both raters' own shares, w = 1 where the categories differ, or
    their distance, or its square. κ is undefined, and never 0 or 1, if both raters used one and the same category only.

    Args:
        first: the first rater's category of each unit; None where there is none.
        second: the same of the second rater.
        cases: the case of each unit; the interval resamples cases.
        categories: all of them, in order if weighted.
        weights: ``none``, ``linear`` or ``quadratic``.
        bootstrap: how cases are resampled.
    """
    bootstrap = bootstrap or Bootstrap()
    number = {category: index for index, category in enumerate(categories)}
    both = [
        (number[one], number[other], case)
        for one, other, case in zip(first, second, cases, strict=True)
        if one is not None and other is not None
    ]
    k = len(categories)
    missing = len(cases) - len(both)
    if not both:
        nothing = Estimate.undefined("no unit was rated by both")
        return PairAgreement(nothing, nothing, np.zeros((k, k)), missing)
    ones = np.zeros((len(both), k, k))
    rows, columns, rated = zip(*both, strict=True)
    ones[np.arange(len(both)), rows, columns] = 1
    sums = by_cluster(ones, rated)
    observed = clustered_share([row == column for row, column in zip(rows, columns, strict=True)], rated, bootstrap)
    distances = _distances(k, weights)
    if used := _only_category(sums.sum(0)):
        reason = f"both used one category only, “{categories[used - 1]}”: chance alone explains full agreement"
        kappa = Estimate.undefined(reason, len(both), len(sums))
    else:
        kappa = bootstrap.estimate(sums, lambda tables: kappa_of_tables(tables, distances), len(both))
    return PairAgreement(kappa, observed, sums.sum(0), missing)


def kappa_of_tables(tables: Floats, distances: Floats) -> Floats:
    """Return κ of each table of counts ``(..., k, k)``; NaN where it is undefined."""
    totals = tables.sum((-2, -1))
    expected = (tables.sum(-1)[..., :, None] * tables.sum(-2)[..., None, :]) / totals[..., None, None]
    by_chance = (distances * expected).sum((-2, -1))
    seen = (distances * tables).sum((-2, -1))
    return np.where(by_chance > 0, 1 - seen / by_chance, np.nan)


def _distances(k: int, weights: Weights) -> Floats:
    apart = np.abs(np.arange(k)[:, None] - np.arange(k)[None, :]).astype(float)
    return {"none": (apart > 0).astype(float), "linear": apart, "quadratic": apart**2}[weights]


def _only_category(table: Floats) -> int:
    """Return the number, from 1, of the category that both raters used alone; 0 if there is none."""
    rows, columns = np.flatnonzero(table.sum(1)), np.flatnonzero(table.sum(0))
    return int(rows[0]) + 1 if len(rows) == len(columns) == 1 and rows[0] == columns[0] else 0
