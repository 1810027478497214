"""The content of a report: its sections, in their order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from napari_segcam.reporting.report.attention import attention_section
from napari_segcam.reporting.report.document import Document, Section
from napari_segcam.reporting.report.findings import findings_section
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.reporting.report.front import front_blocks, provenance_section
from napari_segcam.reporting.report.measures import cases_of, places_of
from napari_segcam.reporting.report.pages import failures_section, overview_section, pages_section
from napari_segcam.reporting.report.reading import limits_section, literature_section, reading_section
from napari_segcam.reporting.report.sheets import Sheets
from napari_segcam.reporting.report.standouts import extremes_section, outliers_section
from napari_segcam.reporting.report.text import counted


@dataclass(frozen=True)
class Choices:
    """What a report shows.

    Attributes:
        title: on its first page.
        per_image: whether every image has a page of its own.
        anonymous: numbers in the place of file names, and no folder names.
    """

    title: str = "Where the network looked"
    per_image: bool = True
    anonymous: bool = False


def document_of(run: FinishedRun, choices: Choices, made: datetime) -> Document:
    """What the report of a run says.

    Args:
        run: with at least one image.
        choices: what to show.
        made: when the report is made.
    """
    cases = cases_of(run.images, choices.anonymous)
    places = places_of(cases)
    linked = choices.per_image
    sheets = Sheets(case.image.sheet for case in cases if case.image.sheet is not None) if linked else Sheets(())
    results: list[Section] = []
    if places:
        results = [
            findings_section(cases, list(dict.fromkeys(place.class_name for place in places))),
            attention_section(cases, places),
            extremes_section(cases, places, sheets, linked),
            outliers_section(cases, places, linked),
            overview_section(cases, places, linked),
        ]
    sections = [
        reading_section(),
        *results,
        failures_section(run.failures, choices.anonymous),
        limits_section(),
        provenance_section(run, choices.anonymous),
        literature_section(),
    ]
    if linked:
        sections.append(pages_section(cases, sheets))
    subtitle = f"Attention of a segmentation network in {counted(len(cases), 'image')}"
    return Document(choices.title, subtitle, front_blocks(run, cases, places, made), sections)
