"""Pages: a table of all images, a page for each, and the images that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from napari_segcam.number_format import UNDEFINED, score, significant
from napari_segcam.reporting.report.attention import reference_place
from napari_segcam.reporting.report.document import Block, Cell, ImagePage, Paragraph, Section, Table
from napari_segcam.reporting.report.finished_run import Failure
from napari_segcam.reporting.report.measures import Case, Found, Place
from napari_segcam.reporting.report.sheets import Sheets
from napari_segcam.reporting.report.standouts import name_cell
from napari_segcam.reporting.report.text import counted

_WORDY = frozenset({"image", "class", "method", "stage", "why", "undefined because"})


def overview_section(cases: Sequence[Case], places: Sequence[Place], linked: bool) -> Section:
    """One row per image and class, to be sorted."""
    classes = list(dict.fromkeys(place.class_name for place in places))
    reference = {name: reference_place(places, name) for name in classes}
    stage = reference[classes[0]]
    rows: list[tuple[Cell, ...]] = []
    for case in cases:
        for name in classes:
            if name not in case.found:
                continue
            found, heat = case.found[name], case.heat.get(reference[name])
            ratios = (heat.ratio.value, heat.truth_ratio.value) if heat else (None, None)
            scores = (score(found.dice.value), score(found.iou.value))
            rows.append((name_cell(case, linked), name, *scores, *_area(found), *map(significant, ratios)))
    columns = ("image", "class", "Dice", "IoU", "area", "true area", "in/out", "in/out of truth")
    table = _without_empty_columns(columns, rows)
    deepest = ", the deepest encoder stage that was explained" if stage.stage.startswith("encoder") else ""
    caption = (
        "Areas are in mm², or in pixels (px) where the spacing is unknown. The attention ratios are those of "
        f"{stage.method} at {stage.stage}{deepest}. “–” is undefined or unknown."
    )
    return Section("overview", "All images", [Table(*table, _WORDY, caption, sortable=True)])


def pages_section(cases: Sequence[Case], sheets: Sheets) -> Section:
    """A page for each image: its sheet and all its figures."""
    return Section("images", "Image by image", [_page(case, sheets) for case in cases])


def failures_section(failures: Sequence[Failure], anonymous: bool) -> Section:
    """The images that could not be explained."""
    if not failures:
        return Section("errors", "Errors", [Paragraph("Every image of the run was explained.")])
    counts = counted(len(failures), "image")
    if anonymous:  # the texts name files
        text = f"{counts} could not be explained. Names and reasons are left out of an anonymous report."
        return Section("errors", "Errors", [Paragraph(text)])
    rows = tuple((failure.name, failure.error) for failure in failures)
    caption = (
        f"{counts} could not be explained, and {'is' if len(failures) == 1 else 'are'} in no figure of this report."
    )
    return Section("errors", "Errors", [Table(("image", "why"), rows, _WORDY, caption)])


def _page(case: Case, sheets: Sheets) -> Block:
    notes = [f"{counted(case.image.frames, 'frame')}; figures are medians over frames"] if case.image.frames > 1 else []
    for name, found in case.found.items():
        area, true_area = _area(found)
        parts = [
            f"area {area}" if area != UNDEFINED else "",
            f"true area {true_area}" if true_area != UNDEFINED else "",
        ]
        if found.dice.value is not None:
            parts = [f"Dice {score(found.dice.value)}", f"IoU {score(found.iou.value)}", *parts]
        elif case.image.truth is not None:
            parts = [f"Dice undefined: {found.dice.reason}", *parts]
        if found.probability.value is not None:
            parts.append(f"mean probability {score(found.probability.value)}")
        notes.append(f"{name}: " + (", ".join(filter(None, parts)) or "no figures"))
    return ImagePage(case.anchor, case.name, tuple(notes), sheets.whole(case.image.sheet), _heat_table(case))


def _heat_table(case: Case) -> Table:
    rows = []
    for place, heat in case.heat.items():
        reasons = [heat.empty or heat.ratio.reason]
        if heat.truth_ratio.value is None and case.image.truth is not None and not reasons[0]:
            reasons.append(f"truth: {heat.truth_ratio.reason}")
        figures = map(significant, (heat.mean.value, heat.std.value, heat.ratio.value, heat.truth_ratio.value))
        rows.append((*place, *figures, "; ".join(filter(None, reasons)) or UNDEFINED))
    columns = ("class", "method", "stage", "mean", "SD", "in/out", "in/out of truth", "undefined because")
    return Table(*_without_empty_columns(columns, rows, keep=("stage", "in/out")), _WORDY)


def _without_empty_columns(
    columns: tuple[str, ...], rows: Sequence[tuple[Cell, ...]], keep: tuple[str, ...] = ("image", "class")
) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    """Columns and rows without the columns that hold nothing but what is undefined."""
    used = [place for place, name in enumerate(columns) if name in keep or any(row[place] != UNDEFINED for row in rows)]
    return tuple(columns[place] for place in used), tuple(tuple(row[place] for place in used) for row in rows)


def _area(found: Found) -> Iterator[str]:
    for area, pixels in ((found.area, found.pixels), (found.truth_area, found.truth_pixels)):
        if area.value is not None:
            yield significant(area.value)
        else:
            yield UNDEFINED if pixels.value is None else f"{significant(pixels.value)} px"
