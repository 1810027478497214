"""Timing: how long raters work on a case."""

from __future__ import annotations

from collections.abc import Iterator

from napari_segcam.review.agreement.estimate import Estimate
from napari_segcam.review.agreement.median import median, quartiles
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.review.report.rows import Number

DONE, NOT_DONE = "done", "not done"


def timings(review: Review) -> Iterator[Number]:
    """Yield median and quartiles of the active seconds of each rater's first readings, of finished ones apart."""
    for work in review.raters:
        for category in (DONE, NOT_DONE):
            seconds = case_seconds(review, work, is_done=category == DONE)
            if seconds or category == DONE:
                yield from _timing(work, seconds, category)


def _timing(work: RaterWork, seconds: list[float], category: str) -> Iterator[Number]:
    middle = median(seconds)
    if middle.value is None:
        middle = Estimate.undefined("no case is done and timed")
    yield Number("median_seconds", middle, rater=work.rater, category=category)
    for name, value in zip(("lower_quartile", "upper_quartile"), quartiles(seconds) or (None, None), strict=True):
        note = "none: it describes these cases"
        estimate = (
            Estimate.undefined("no case is done and timed")
            if value is None
            else Estimate(value, n=len(seconds), cases=len(seconds), interval=note)
        )
        yield Number(f"seconds_{name}", estimate, rater=work.rater, category=category)


def case_seconds(review: Review, work: RaterWork, *, is_done: bool) -> list[float]:
    """Return the active seconds of a rater's first readings that are done, or of those that are not.

    Readings without a time are left out.
    """
    states = [work.of(case) for case in review.project.cases]
    return [state.seconds for state in states if (state.status == "done") == is_done and state.seconds > 0]
