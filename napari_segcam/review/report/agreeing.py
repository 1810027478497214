"""Agreeing: how far raters agree with each other, and with themselves when they read a case again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from napari_segcam.review.agreement.bootstrap import Bootstrap
from napari_segcam.review.agreement.kappa import PairAgreement, Weights, cohen_kappa
from napari_segcam.review.agreement.many_raters import Level, fleiss_kappa, krippendorff_alpha
from napari_segcam.review.project_file import Case
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.review.report.rates import questions_of, scopes_of
from napari_segcam.review.report.ratings import (
    CATEGORIES,
    Question,
    Rating,
    Scope,
    case_rating,
    finding_ratings,
    frame_ratings,
)
from napari_segcam.review.report.rows import Number

Units = dict[tuple[object, ...], tuple[str, list[Rating | None]]]
"""By the key of a unit: its case and the rating of each rater."""


def agreement_between(review: Review, bootstrap: Bootstrap) -> Iterator[Number]:
    """Yield Cohen's κ of every two raters, and Fleiss' κ and Krippendorff's α of all; of the first readings."""
    for question in questions_of(review):
        for scope in scopes_of(review, question):
            readings = [(work, 1) for work in review.raters]
            units = rated_by(review, readings, question, scope)
            for (a, first), (b, second) in combinations(enumerate(review.raters), 2):
                yield from _pair(question, scope, units, (a, b), (first.rater, second.rater), bootstrap)
            if len(review.raters) > 1:
                yield from _all(question, scope, units, bootstrap)


def agreement_within(review: Review, bootstrap: Bootstrap) -> Iterator[Number]:
    """Yield how far each rater agrees with their own first reading, over the cases that were mixed in again."""
    for question in questions_of(review):
        for work in review.raters:
            if not any(reading.repeat == 2 for reading in work.readings):
                continue
            repeated = {reading.case for reading in work.readings if reading.repeat == 2}
            for scope in scopes_of(review, question):
                units = rated_by(review, [(work, 1), (work, 2)], question, scope)
                units = {key: unit for key, unit in units.items() if unit[0] in repeated}
                is_rated = any(None not in values for _, values in units.values())
                if not is_rated and (question.about, scope) != ("mask", "case"):
                    continue
                yield from _pair(question, scope, units, (0, 1), (work.rater, work.rater), bootstrap)


def rated_by(review: Review, readings: list[tuple[RaterWork, int]], question: Question, scope: Scope) -> Units:
    """Return what was rated in several readings of all cases; what a reading did not rate is None.

    Args:
        review: that is reported.
        readings: each a rater and 1 for the first reading, 2 for the next.
        question: what is rated.
        scope: the unit.
    """
    units: Units = {}
    for case in review.project.cases:
        for number, (work, repeat) in enumerate(readings):
            for key, value in _ratings_of(work, case, repeat, question, scope).items():
                _, values = units.setdefault((case.id, *key), (case.id, [None] * len(readings)))
                values[number] = value
    return units


def _ratings_of(
    work: RaterWork, case: Case, repeat: int, question: Question, scope: Scope
) -> dict[tuple[object, ...], Rating | None]:
    state = work.of(case, repeat)
    if scope == "case":
        return {(): case_rating(state, case, question).value}
    if scope == "frame":
        return {(number,): value for number, value in enumerate(frame_ratings(state, case, question))}
    ratings: dict[tuple[object, ...], Rating | None] = {}
    for finding, value in finding_ratings(state, question).items():
        ratings[finding] = value
    return ratings


def _pair(
    question: Question,
    scope: Scope,
    units: Units,
    places: tuple[int, int],
    names: tuple[str, str],
    bootstrap: Bootstrap,
) -> Iterator[Number]:
    weights: Weights = "quadratic" if question.about == "quality" else "none"
    first, second = ([values[place] for _, values in units.values()] for place in places)
    cases = [case for case, _ in units.values()]
    agreement: PairAgreement = cohen_kappa(
        first, second, cases, CATEGORIES[question.about], weights=weights, bootstrap=bootstrap
    )
    measure = "weighted_kappa" if weights != "none" else "cohen_kappa"
    for name, estimate in ((measure, agreement.kappa), ("observed_agreement", agreement.observed)):
        yield Number(
            name,
            estimate,
            question.about,
            scope,
            question.checkpoint,
            question.stage or "",
            rater=names[0],
            other_rater=names[1],
            missing=agreement.missing,
        )


def _all(question: Question, scope: Scope, units: Units, bootstrap: Bootstrap) -> Iterator[Number]:
    ratings = [values for _, values in units.values()]
    cases = [case for case, _ in units.values()]
    categories = CATEGORIES[question.about]
    level: Level = "ordinal" if question.about == "quality" else "nominal"
    fleiss = fleiss_kappa(ratings, cases, categories, bootstrap=bootstrap)
    alpha = krippendorff_alpha(ratings, cases, categories, level=level, bootstrap=bootstrap)
    for name, estimate in (("fleiss_kappa", fleiss), ("krippendorff_alpha", alpha)):
        yield Number(
            name,
            estimate,
            question.about,
            scope,
            question.checkpoint,
            question.stage or "",
            rater="all",
            missing=len(ratings) - estimate.n,
        )
