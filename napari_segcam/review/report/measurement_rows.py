"""Measurements: the calipers and traced outlines of every rater, as rows."""

from __future__ import annotations

from napari_segcam.errors import SegcamError
from napari_segcam.measuring.measurement import Measurement
from napari_segcam.measuring.table import COLUMNS as MEASURED
from napari_segcam.measuring.table import measurement_row
from napari_segcam.review.report.collecting import Review
from napari_segcam.review.report.rows import Row

COLUMNS = ("rater", "case", "repeat", *MEASURED, "event")


def measurement_rows(review: Review, warnings: list[str]) -> list[Row]:
    """Return one row for each measurement that holds, with the columns of ``COLUMNS``.

    Args:
        review: that is reported.
        warnings: gets which measurements cannot be read.
    """
    rows: list[Row] = []
    for work in review.raters:
        for reading in work.readings:
            case = review.cases[reading.case]
            for event in work.state.of(reading).measurements.values():
                try:
                    measurement = Measurement.from_dict(event.content or {})
                except SegcamError as error:
                    warnings.append(f"A measurement of {work.rater} on {case.name} is left out: {error}")
                    continue
                row = measurement_row(measurement, case.name, case.path)
                rows.append({"rater": work.rater, "case": case.id, "repeat": reading.repeat, **row, "event": event.n})
    return rows
