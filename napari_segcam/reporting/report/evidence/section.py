"""The section of a report on evidence: what the heatmaps of a run are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_segcam.evidence.doubt.measures import DOUBT_MEASURES
from napari_segcam.number_format import UNDEFINED, counted, score
from napari_segcam.reporting.evidence_summary.risk import RiskCoverage, risk_coverage
from napari_segcam.reporting.evidence_summary.shares import number
from napari_segcam.reporting.evidence_summary.summary import has_evidence, of_frames, summaries
from napari_segcam.reporting.evidence_summary.words import doubt_sentence
from napari_segcam.reporting.report.document import Block, Cell, Paragraph, Section, Subheading, Table
from napari_segcam.reporting.report.evidence.tables import (
    flag_table,
    map_table,
    overlay_blocks,
    stage_table,
    untested_table,
    verdict_on,
)
from napari_segcam.reporting.report.measures import Case
from napari_segcam.reporting.report.standouts import name_cell
from napari_segcam.reporting.run_format import Row

_WORST = 12
_INTRODUCTION = (
    "Hiding a stage replaces its map by the mean of each channel: what the stage says about where is gone, what it "
    "says about how much stays. If the mask then stays as it was, the stage takes no part in it, and its heatmap, "
    "right or wrong, has no bearing on the mask. Where a stage takes part, its hot places should matter more than "
    "others. A cine counts with each of its frames. Nothing here is corrected for the number of tests."
)
_ORDERS = {
    "doubt": "the most doubtful",
    "dice": "the lowest Dice",
    "agreement": "the least agreement between slightly different views",
    "faithfulness": "the least loss when the hot places of the first stage are hidden",
}


def evidence_section(cases: Sequence[Case]) -> Section | None:
    """Return what the heatmaps are worth: in words, by stage, by map, overlays and doubt; None without evidence."""
    rows: list[Row] = [{**row, "image": case.number} for case in cases for row in case.image.rows]
    if not has_evidence(rows):
        return None
    every = summaries(rows)
    names: dict[object, Cell] = {case.number: name_cell(case) for case in cases}
    blocks: list[Block] = [Paragraph(_INTRODUCTION), *verdict_on(every)]
    for summary in every:
        if len(every) > 1:
            blocks.append(Subheading(summary.class_name))
        if any(stage.takes_part.total or stage.unclear for stage in summary.stages):
            blocks.append(stage_table(summary))
        if summary.tests:
            blocks.append(map_table(summary))
        blocks.append(flag_table(summary))
        if untested := untested_table(summary):
            blocks.append(untested)
        if summary.overlays:
            blocks += overlay_blocks(summary.overlays, summary.class_name)
        blocks += worst_blocks([row for row in rows if row["class"] == summary.class_name], names)
    return Section("evidence", "What the heatmaps are worth", blocks)


def worst_blocks(rows: Sequence[Row], names: Mapping[object, Cell]) -> list[Block]:
    """Return the worst frames of a class first, and how well doubt ranks its masks, if that was measured.

    The worst are the most doubtful; without doubt, those of the lowest Dice; without a truth, those whose masks agree
    least between slightly different views, or whose map to show first is worth least.

    Args:
        rows: of one class.
        names: of the images, by the value in their rows.
    """
    frames = of_frames(rows)
    key, order = next(((column, words) for column, words in _ORDERS.items() if _has(frames, column)), ("", ""))
    if not key:
        return []
    sign = -1 if key == "doubt" else 1
    frames = [row for row in frames if number(row, key) is not None]
    frames.sort(key=lambda row: (sign * (number(row, key) or 0.0), row["image"], row["frame"]))
    table_rows = tuple(_worst_row(row, rows, names[row["image"]]) for row in frames[:_WORST])
    total = counted(len(frames), "frame")
    caption = f"Worst masks first, {rows[0]['class']}: {order}; {len(table_rows)} of {total}."
    headings = ("image", "frame", "doubt", "agreement", "Dice", "show first", "what its map is worth")
    used = [n for n, name in enumerate(headings) if name == "image" or any(row[n] != UNDEFINED for row in table_rows)]
    columns = tuple(headings[n] for n in used)
    cells = tuple(tuple(row[n] for n in used) for row in table_rows)
    table = Table(columns, cells, frozenset({"image", "show first", "what its map is worth"}), caption)
    return [*_doubt_words(frames), table]


def _has(frames: Sequence[Row], column: str) -> bool:
    return any(number(row, column) is not None for row in frames)


def _worst_row(row: Row, rows: Sequence[Row], name: Cell) -> tuple[Cell, ...]:
    first = str(row.get("shown_first") or "")
    same = [one for one in rows if all(one[name] == row[name] for name in ("image", "frame", "method"))]
    statement = next((str(one.get("statement") or "") for one in same if one["stage"] == first), "")
    figures = (score(number(row, column)) for column in ("doubt", "agreement", "dice"))
    return (name, str(row["frame"]), *figures, first or UNDEFINED, statement or UNDEFINED)


def doubt_curve(rows: Sequence[Row]) -> tuple[str, RiskCoverage | None] | None:
    """Return the measure of doubt in rows of one class, and how well it ranks the masks of those with a truth.

    None if doubt was not measured; no curve if there are no true masks.
    """
    doubts = [row for row in of_frames(rows) if number(row, "doubt") is not None]
    if not doubts:
        return None
    known = [(number(row, "doubt") or 0.0, risk) for row in doubts if (risk := _risk(row)) is not None]
    curve = risk_coverage([doubt for doubt, _ in known], [risk for _, risk in known])
    name = str(doubts[0].get("doubt_measure") or "")
    return DOUBT_MEASURES[name].title.lower() if name in DOUBT_MEASURES else name, curve


def _risk(row: Row) -> float | None:
    """Return 1 − Dice, and 0 where prediction and truth are both empty; None without a truth."""
    dice = number(row, "dice")
    if dice is not None:
        return 1 - dice
    both_empty = number(row, "pixels") == 0 and number(row, "truth_pixels") == 0
    return 0.0 if both_empty else None


def _doubt_words(rows: Sequence[Row]) -> list[Block]:
    curve = doubt_curve(rows)
    return [] if curve is None else [Paragraph(doubt_sentence(*curve))]
