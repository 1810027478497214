"""The numbers of a review: everything that the report shows, as rows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.review.agreement.bootstrap import Bootstrap
from napari_segcam.review.project import open_project
from napari_segcam.review.report.agreeing import agreement_between, agreement_within
from napari_segcam.review.report.collecting import Review, collect
from napari_segcam.review.report.corrections import correction_numbers, correction_rows
from napari_segcam.review.report.first_answers import first_answers
from napari_segcam.review.report.heatmap_effect import heatmap_effects
from napari_segcam.review.report.masks import overlaps
from napari_segcam.review.report.measurement_rows import measurement_rows
from napari_segcam.review.report.progress import progress
from napari_segcam.review.report.rates import rates
from napari_segcam.review.report.rows import Number, Row
from napari_segcam.review.report.tables import case_rows, verdict_rows
from napari_segcam.review.report.timing import timings


@dataclass(frozen=True, eq=False)
class ReviewNumbers:
    """The numbers of a review; each list holds one mapping a row, with the columns of the CSV file of that name.

    Attributes:
        review: the project and what its raters have done.
        bootstrap: how cases were resampled.
        verdicts: every verdict, grade and note that holds.
        cases: every reading of every rater.
        corrections: every class of every corrected frame.
        measurements: of every rater.
        rates: counts, rates, grades, times and the effect of heatmaps, of each rater.
        agreement: between raters, within a rater, and with the prediction.
        warnings: what could not be read, in words.
    """

    review: Review
    bootstrap: Bootstrap
    verdicts: list[Row]
    cases: list[Row]
    corrections: list[Row]
    measurements: list[Row]
    rate_numbers: list[Number]
    agreement_numbers: list[Number]
    warnings: list[str]

    @property
    def rates(self) -> list[Row]:
        return [number.as_row() for number in self.rate_numbers]

    @property
    def agreement(self) -> list[Row]:
        return [number.as_row() for number in self.agreement_numbers]


def review_numbers(review: Review, bootstrap: Bootstrap | None = None, *, predict: bool = False) -> ReviewNumbers:
    """Return the numbers of a review.

    Args:
        review: from ``collect``.
        bootstrap: how cases are resampled for intervals.
        predict: whether to run the checkpoint on cases with a first answer of a blinded reading.

    Raises:
        SegcamError: if the checkpoint is to run and cannot be used.
    """
    bootstrap = bootstrap or Bootstrap()
    warnings = list(review.warnings)
    corrections = correction_rows(review, warnings)
    rate_numbers = [
        *progress(review),
        *rates(review, bootstrap),
        *timings(review),
        *heatmap_effects(review, bootstrap),
        *first_answers(review, bootstrap, predict=predict, warnings=warnings),
        *correction_numbers(review, corrections, bootstrap),
    ]
    agreement_numbers = [
        *agreement_between(review, bootstrap),
        *agreement_within(review, bootstrap),
        *overlaps(review, bootstrap, warnings),
    ]
    return ReviewNumbers(
        review,
        bootstrap,
        list(verdict_rows(review)),
        list(case_rows(review)),
        corrections,
        measurement_rows(review, warnings),
        rate_numbers,
        agreement_numbers,
        list(dict.fromkeys(warnings)),
    )


def review_report(
    folder: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    resamples: int = 2000,
    seed: int = 0,
    predict: bool = False,
) -> ReviewNumbers:
    """Return the numbers of a review project: counts, rates, agreement, times.

    Args:
        folder: of the project.
        images: where the images lie now, if they were moved.
        resamples: how often cases are drawn again for an interval.
        seed: of these draws.
        predict: whether to run the checkpoint on cases with a first answer of a blinded reading, to compare the two.

    Raises:
        SegcamError: if the folder is not a review project, or the checkpoint is to run and cannot be used. Damaged logs
            are warnings of the result.
    """
    project = open_project(Path(folder), None if images is None else Path(images))
    return review_numbers(collect(project), Bootstrap(resamples, seed), predict=predict)
