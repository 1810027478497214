"""Progress: how many readings are new, begun, done or have a problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from napari_segcam.review.agreement.estimate import Estimate
from napari_segcam.review.report.collecting import Review
from napari_segcam.review.report.rows import Number

STATUSES = ("new", "begun", "done", "problem")


def progress(review: Review) -> Iterator[Number]:
    """Yield how many readings of each rater have each status, repeats included."""
    for work in review.raters:
        counts: Counter[str] = Counter(work.state.of(reading).status for reading in work.readings)
        cases = len({reading.case for reading in work.readings})
        for status in STATUSES:
            estimate = Estimate(
                float(counts[status]), n=len(work.readings), cases=cases, interval="none: a count of all readings"
            )
            yield Number("readings", estimate, scope="reading", rater=work.rater, category=status)
