"""Content of the report: its pages in their order."""

from __future__ import annotations

from datetime import datetime

from napari_segcam.number_format import counted
from napari_segcam.reporting.report.document import Document
from napari_segcam.review.report.pages.cases import cases_section
from napari_segcam.review.report.pages.definitions import definitions_section, literature_section, provenance_section
from napari_segcam.review.report.pages.front import front_blocks
from napari_segcam.review.report.pages.measurements import measurements_sections
from napari_segcam.review.report.pages.sections import (
    agreement_section,
    heatmaps_section,
    masks_section,
    overlap_section,
    progress_section,
    time_section,
)
from napari_segcam.review.report.review_numbers import ReviewNumbers


def document_of(numbers: ReviewNumbers, written: datetime) -> Document:
    """Return the report of a review.

    Args:
        numbers: that it shows.
        written: date and time of the report.
    """
    review = numbers.review
    subtitle = f"{counted(len(review.raters), 'rater')}, {counted(len(review.project.cases), 'case')}"
    results = [
        progress_section(numbers),
        masks_section(numbers),
        agreement_section(numbers),
        overlap_section(numbers),
        heatmaps_section(numbers),
        time_section(numbers),
        *measurements_sections(numbers),
        cases_section(numbers),
    ]
    sections = [
        *(results if review.raters else []),
        definitions_section(),
        provenance_section(numbers),
        literature_section(),
    ]
    return Document(f"Review: {review.project.title}", subtitle, front_blocks(numbers, written), sections)
