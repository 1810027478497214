"""Rates: how often masks are accepted, corrected or rejected, and why; how often heatmaps are plausible; grades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from napari_segcam.review.agreement.bootstrap import Bootstrap
from napari_segcam.review.agreement.estimate import Estimate
from napari_segcam.review.agreement.proportion import clustered_mean, clustered_share, wilson
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.review.report.ratings import (
    CATEGORIES,
    Question,
    Rating,
    Scope,
    case_rating,
    finding_ratings,
    frame_ratings,
    stages_asked,
)
from napari_segcam.review.report.rows import Number

MEASURES = {"accept": "acceptance", "correct": "correction", "reject": "rejection"}
"""The measure of each verdict on a mask."""

Rated = list[tuple[str, Rating]]
"""The case and the rating of each unit that was rated."""


def questions_of(review: Review) -> list[Question]:
    """Return what was rated in a review: masks and grades of each checkpoint, heatmaps of each stage."""
    questions = []
    for checkpoint in review.checkpoints:
        questions.append(Question("mask", checkpoint))
        states = [state for work in review.raters for state in work.state.readings.values()]
        questions += [Question("heatmap", checkpoint, stage) for stage in stages_asked(states, checkpoint)]
        if any(grade.checkpoint == checkpoint for state in states for grade in state.grades):
            questions.append(Question("quality", checkpoint))
    return questions


def rated_units(review: Review, work: RaterWork, question: Question, scope: Scope) -> Rated:
    """Return what a rater has rated in the first readings."""
    units: Rated = []
    for case in review.project.cases:
        state = work.of(case)
        if scope == "case":
            values = [case_rating(state, case, question).value]
        elif scope == "frame":
            values = list(frame_ratings(state, case, question))
        else:
            values = list(finding_ratings(state, question).values())
        units += [(case.id, value) for value in values if value is not None]
    return units


def rates(review: Review, bootstrap: Bootstrap) -> Iterator[Number]:
    """Yield the rates of each rater, by case, and by frame and by finding where these were rated."""
    for work in review.raters:
        for question in questions_of(review):
            for scope in scopes_of(review, question):
                units = rated_units(review, work, question, scope)
                if question.about == "quality":
                    yield _number(question, scope, work, "mean_grade", "", _mean(units, bootstrap))
                    continue
                for category in CATEGORIES[question.about]:
                    measure = MEASURES.get(str(category), "share")
                    share = _share(units, category, bootstrap)
                    yield _number(question, scope, work, measure, str(category), share)
        yield from _reasons(review, work)


def scopes_of(review: Review, question: Question) -> list[Scope]:
    """Return the units in which something is counted: cases always, frames and findings where they were rated."""
    scopes: list[Scope] = ["case"]
    states = [state for _, _, state in review.first_readings()]
    events = [event for state in states for event in (state.grades if question.about == "quality" else state.verdicts)]
    fitting = [
        event
        for event in events
        if event.checkpoint == question.checkpoint
        and getattr(event, "about", question.about) == question.about
        and (question.about != "heatmap" or getattr(event, "stage", None) == question.stage)
    ]
    if any(event.first is not None and getattr(event, "finding", None) is None for event in fitting):
        scopes.append("frame")
    if any(getattr(event, "finding", None) is not None for event in fitting):
        scopes.append("finding")
    return scopes


def _reasons(review: Review, work: RaterWork) -> Iterator[Number]:
    """Yield in which share of the cases with a rejection each reason was given."""
    for checkpoint in review.checkpoints:
        reasons: Counter[str] = Counter()
        rejected = 0
        for case in review.project.cases:
            rejections = [
                verdict
                for verdict in work.of(case).verdicts
                if verdict.about == "mask" and verdict.checkpoint == checkpoint and verdict.value == "reject"
            ]
            rejected += bool(rejections)
            reasons.update({reason for verdict in rejections for reason in verdict.reasons or ("no reason given",)})
        for reason, count in reasons.most_common():
            yield _number(Question("mask", checkpoint), "case", work, "reason", reason, wilson(count, rejected))


def _share(units: Rated, category: Rating, bootstrap: Bootstrap) -> Estimate:
    if not units:
        return Estimate.undefined("nothing was rated")
    return clustered_share([value == category for _, value in units], [case for case, _ in units], bootstrap)


def _mean(units: Rated, bootstrap: Bootstrap) -> Estimate:
    if not units:
        return Estimate.undefined("no grade was given")
    return clustered_mean([float(value) for _, value in units], [case for case, _ in units], bootstrap)


def _number(question: Question, scope: Scope, work: RaterWork, measure: str, category: str, value: Estimate) -> Number:
    return Number(
        measure,
        value,
        question.about,
        scope,
        question.checkpoint,
        question.stage or "",
        rater=work.rater,
        category=category,
    )
