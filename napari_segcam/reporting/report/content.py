"""Content of a report: its sections in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from napari_segcam.number_format import counted
from napari_segcam.reporting.report.attention import attention_section
from napari_segcam.reporting.report.document import Addition, Block, Document, Paragraph, linked_anchors
from napari_segcam.reporting.report.evidence.section import evidence_section
from napari_segcam.reporting.report.findings import findings_section
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.reporting.report.front import front_blocks, provenance_section
from napari_segcam.reporting.report.measures import heatmap_keys, report_cases
from napari_segcam.reporting.report.pages import failures_section, overview_section, pages_section, with_pages
from napari_segcam.reporting.report.reading import limits_section, literature_section, reading_section
from napari_segcam.reporting.report.standouts import extremes_section, outliers_section


@dataclass(frozen=True)
class ReportOptions:
    """What a report shows.

    Attributes:
        title: on the first page.
        per_image: whether images have pages of their own.
        most_pages: most images that have one; those that the report links to have one in any case.
        anonymous: whether numbers replace file names, and folder names are left out.
    """

    title: str = "Where the network looked"
    per_image: bool = True
    anonymous: bool = False
    most_pages: int = 400


def document_of(
    run: FinishedRun, options: ReportOptions, written: datetime, addition: Addition | None = None
) -> Document:
    """Return the content of the report of a run.

    Args:
        run: with at least one image.
        options: what to show.
        written: date and time of the report.
        addition: what else it shows: on the first page after its warnings, and before its figures.
    """
    cases = report_cases(run.images, options.anonymous, options.per_image)
    keys = heatmap_keys(cases)
    sections = [reading_section(), *(addition.sections if addition else ())]
    if keys:
        sections += [
            findings_section(cases, list(dict.fromkeys(key.class_name for key in keys))),
            *([evidence] if (evidence := evidence_section(cases)) else []),
            attention_section(cases, keys),
            extremes_section(cases, keys),
            outliers_section(cases, keys),
        ]
    paged = with_pages(cases, linked_anchors(sections), options.most_pages)
    if keys:
        sections.append(overview_section(paged, keys))
    sections += [
        failures_section(run.failures, options.anonymous),
        limits_section(),
        provenance_section(run, options.anonymous),
        literature_section(),
    ]
    if options.per_image:
        sections.append(pages_section(paged))
    subtitle = f"Attention of a segmentation network in {counted(len(cases), 'image')}"
    front = front_blocks(run, cases, keys, written)
    return Document(options.title, subtitle, _after_warnings(front, addition.front if addition else ()), sections)


def _after_warnings(front: Sequence[Block], added: Sequence[Block]) -> list[Block]:
    """Return the blocks of the first page with more blocks behind its warnings."""
    warnings = [block for block in front if isinstance(block, Paragraph) and block.warning]
    return [*warnings, *added, *front[len(warnings) :]]
