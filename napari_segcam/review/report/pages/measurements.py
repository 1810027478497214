"""Measurements: what raters measured, as a table."""

from __future__ import annotations

from napari_segcam.number_format import UNDEFINED, significant
from napari_segcam.reporting.report.document import Section, Table
from napari_segcam.review.report.review_numbers import ReviewNumbers
from napari_segcam.review.report.rows import Row

_MOST = 400
_TEXT = ("rater", "case", "name", "kind")
_UNITS = (("longest", "length_unit"), ("across", "length_unit"), ("area", "area_unit"), ("volume", "volume_unit"))


def measurements_sections(numbers: ReviewNumbers) -> list[Section]:
    """Return a section with all measurements; none if nobody measured."""
    if not numbers.measurements:
        return []
    rows = tuple(_cells(row) for row in numbers.measurements[:_MOST])
    caption = "Measurements, second readings included. px: the file does not say how large a pixel is."
    if len(numbers.measurements) > _MOST:
        caption += f" {len(numbers.measurements) - _MOST} more are in measurements.csv."
    columns = (*_TEXT[:2], "frame", *_TEXT[2:], *(value for value, _ in _UNITS))
    return [Section("measurements", "Measurements", [Table(columns, rows, frozenset(_TEXT), caption, sortable=True)])]


def _cells(row: Row) -> tuple[str, ...]:
    values = (UNDEFINED if row[value] is None else f"{significant(row[value])} {row[unit]}" for value, unit in _UNITS)
    return row["rater"], row["image"], str(row["frame"]), row["name"] or UNDEFINED, row["kind"], *values
