"""Timing: how long raters work on a case."""

from __future__ import annotations

from collections.abc import Iterator

from napari_segcam.review.agreement.estimate import Estimate
from napari_segcam.review.agreement.median import median, quartiles
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.review.report.rows import Number


def timings(review: Review) -> Iterator[Number]:
    """Yield the median and the quartiles of the active seconds of each rater's finished first readings."""
    for work in review.raters:
        seconds = finished_seconds(review, work)
        middle = median(seconds)
        if middle.value is None:
            middle = Estimate.undefined("no case is done and timed")
        yield Number("median_seconds", middle, rater=work.rater)
        for name, value in zip(("lower_quartile", "upper_quartile"), quartiles(seconds) or (None, None), strict=True):
            note = "none: it describes these cases"
            estimate = (
                Estimate.undefined("no case is done and timed")
                if value is None
                else Estimate(value, n=len(seconds), cases=len(seconds), interval=note)
            )
            yield Number(f"seconds_{name}", estimate, rater=work.rater)


def finished_seconds(review: Review, work: RaterWork) -> list[float]:
    """Return the active seconds of a rater's first readings that are done; those without a time are left out."""
    states = [work.of(case) for case in review.project.cases]
    return [state.seconds for state in states if state.status == "done" and state.seconds > 0]
