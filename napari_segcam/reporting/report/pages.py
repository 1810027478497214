"""Image sections: a table of all images, a page for each image, and the images that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from napari_segcam.number_format import UNDEFINED, counted, score, significant
from napari_segcam.reporting.report.attention import measured_stage, reference_key
from napari_segcam.reporting.report.document import Block, Cell, ImagePage, Paragraph, Section, Table
from napari_segcam.reporting.report.finished_run import Failure
from napari_segcam.reporting.report.measures import Case, Finding, HeatmapKey
from napari_segcam.reporting.report.sheets import Sheets
from napari_segcam.reporting.report.standouts import name_cell

_TEXT_COLUMNS = frozenset({"image", "class", "method", "stage", "why", "undefined because"})


def overview_section(cases: Sequence[Case], keys: Sequence[HeatmapKey]) -> Section:
    """Return a sortable table with one row per image and class."""
    class_names = list(dict.fromkeys(key.class_name for key in keys))
    references = {name: reference_key(keys, name, cases) for name in class_names}
    rows: list[tuple[Cell, ...]] = []
    for case in cases:
        for class_name in class_names:
            if class_name not in case.findings:
                continue
            finding, heat = case.findings[class_name], case.heat.get(references[class_name])
            ratios = (
                (heat.ratio.value, heat.ratio_null.value, heat.ratio_p.value, heat.truth_ratio.value)
                if heat
                else (None,) * 4
            )
            scores = (score(finding.dice.value), score(finding.iou.value))
            rows.append((name_cell(case), class_name, *scores, *_areas(finding), *map(significant, ratios)))
    columns = ("image", "class", "Dice", "IoU", "area", "true area", "in/out", "by chance", "p", "in/out of truth")
    table = _without_empty_columns(columns, rows)
    first = references[class_names[0]]
    if measured_stage(cases, class_names[0]) == first.stage:
        why = ", the stage to show first in most frames"
    else:
        why = ", the deepest encoder stage that was explained" if first.stage.startswith("encoder") else ""
        why += " (not measured: it may take no part in the mask; batch --evidence measures that)"
    caption = (
        "Areas are in mm², or in pixels (px) where the spacing is unknown. The attention ratios are those of "
        f"{first.method} at {first.stage}{why}. By chance and p are of the first ratio. “–” is undefined or unknown."
    )
    return Section("overview", "All images", [Table(*table, _TEXT_COLUMNS, caption, sortable=True)])


def with_pages(cases: Sequence[Case], linked: Set[str], most: int) -> list[Case]:
    """Return the cases, of which those that are linked to keep their pages, and others evenly up to ``most``.

    Args:
        cases: all of a run; those without a page stay without.
        linked: the anchors that a report links to.
        most: number of pages.
    """
    others = [case for case in cases if case.anchor not in linked]
    count = min(len(others), max(0, most - (len(cases) - len(others))))
    kept = {others[index * len(others) // count].number for index in range(count)}
    return [replace(case, has_page=case.has_page and (case.anchor in linked or case.number in kept)) for case in cases]


def pages_section(cases: Sequence[Case]) -> Section:
    """Return the pages of images: the sheet and all figures of each."""
    shown = [case for case in cases if case.has_page]
    sheets = Sheets(case.image.sheet for case in shown if case.image.sheet is not None)
    blocks: list[Block] = []
    if len(shown) < len(cases):
        text = (
            f"{len(shown)} of {counted(len(cases), 'image')} have a page: those that this report links to, and others "
            "evenly over the run. The sheets of all images are in the folder images of the run, and all figures in "
            "results.csv; report --most-pages changes the number."
        )
        blocks.append(Paragraph(text, note=True))
    return Section("images", "Image by image", [*blocks, *(_page(case, sheets) for case in shown)])


def failures_section(failures: Sequence[Failure], anonymous: bool) -> Section:
    """Return a table of the images that could not be explained."""
    if not failures:
        return Section("errors", "Errors", [Paragraph("Every image of the run was explained.")])
    counts = counted(len(failures), "image")
    if anonymous:  # the errors name files
        text = f"{counts} could not be explained. Names and reasons are left out of an anonymous report."
        return Section("errors", "Errors", [Paragraph(text)])
    rows = tuple((failure.name, failure.error) for failure in failures)
    caption = (
        f"{counts} could not be explained, and {'is' if len(failures) == 1 else 'are'} in no figure of this report."
    )
    return Section("errors", "Errors", [Table(("image", "why"), rows, _TEXT_COLUMNS, caption)])


def _page(case: Case, sheets: Sheets) -> Block:
    notes = [f"{counted(case.image.frames, 'frame')}; figures are medians over frames"] if case.image.frames > 1 else []
    for class_name, finding in case.findings.items():
        area, true_area = _areas(finding)
        parts = [
            f"area {area}" if area != UNDEFINED else "",
            f"true area {true_area}" if true_area != UNDEFINED else "",
        ]
        if finding.dice.value is not None:
            parts = [f"Dice {score(finding.dice.value)}", f"IoU {score(finding.iou.value)}", *parts]
        elif case.image.truth is not None:
            parts = [f"Dice undefined: {finding.dice.reason}", *parts]
        if finding.probability.value is not None:
            parts.append(f"mean probability {score(finding.probability.value)}")
        notes.append(f"{class_name}: " + (", ".join(filter(None, parts)) or "no figures"))
    return ImagePage(case.anchor, case.name, tuple(notes), sheets.fit_share(case.image.sheet), _heat_table(case))


def _heat_table(case: Case) -> Table:
    rows = []
    for key, heat in case.heat.items():
        reasons = [heat.empty or heat.ratio.reason]
        if heat.truth_ratio.value is None and case.image.truth is not None and not reasons[0]:
            reasons.append(f"truth: {heat.truth_ratio.reason}")
        measures = (heat.mean, heat.std, heat.ratio, heat.ratio_null, heat.ratio_p)
        of_truth = (heat.truth_ratio, heat.truth_ratio_null, heat.truth_ratio_p)
        figures = (significant(measure.value) for measure in (*measures, *of_truth))
        rows.append((*key, *figures, "; ".join(filter(None, reasons)) or UNDEFINED))
    columns = (
        *("class", "method", "stage", "mean", "SD", "in/out", "by chance", "p"),
        *("in/out of truth", "truth by chance", "truth p", "undefined because"),
    )
    return Table(*_without_empty_columns(columns, rows, keep=("stage", "in/out")), _TEXT_COLUMNS)


def _without_empty_columns(
    columns: tuple[str, ...], rows: Sequence[tuple[Cell, ...]], keep: tuple[str, ...] = ("image", "class")
) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    """Return columns and rows without the columns whose values are all undefined."""
    used = [index for index, name in enumerate(columns) if name in keep or any(row[index] != UNDEFINED for row in rows)]
    return tuple(columns[index] for index in used), tuple(tuple(row[index] for index in used) for row in rows)


def _areas(finding: Finding) -> Iterator[str]:
    """Yield the predicted and the true area as text."""
    for area, pixels in ((finding.area, finding.pixels), (finding.truth_area, finding.truth_pixels)):
        if area.value is not None:
            yield significant(area.value)
        else:
            yield UNDEFINED if pixels.value is None else f"{significant(pixels.value)} px"
