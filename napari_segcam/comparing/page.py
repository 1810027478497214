"""The report of a comparison: what it says in words first, then intervals, cases, frames and provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from napari_segcam.comparing.cases import RULE
from napari_segcam.comparing.comparison import Comparison
from napari_segcam.comparing.mask_comparison import Row
from napari_segcam.comparing.pictures import LEGEND, LEGEND_TRUTH, difference_jpeg
from napari_segcam.comparing.plots import plot_cases
from napari_segcam.comparing.ranking import DifferentFrame
from napari_segcam.comparing.summary import ClassSummary
from napari_segcam.comparing.words import area_text, interval_text, method_text, sentences, signed
from napari_segcam.number_format import UNDEFINED, counted, percent, score, significant
from napari_segcam.reporting.report.document import (
    RESEARCH_ONLY,
    Block,
    Bullets,
    Card,
    Cards,
    Document,
    Facts,
    Paragraph,
    Section,
    Subheading,
    Table,
)
from napari_segcam.reporting.report.text import plain, words
from napari_segcam.statistics.interval import RESAMPLES, Interval

_MOST_ROWS = 40
_READING = (
    "Intervals are 95 % bootstrap intervals of the mean over cases: whole cases are drawn with replacement "
    f"{RESAMPLES:,} times, never frames, because the frames of a cine resemble each other. BCa corrects for bias and "
    "skewness (Efron 1987). A case is one file, unless a list names cases: stills of one patient in several files are "
    "several cases, and the interval is then too narrow. The intervals of several classes are not adjusted for their "
    "number."
)


def page_of(comparison: Comparison, written: datetime) -> Document:
    """Return the content of ``comparison.html``.

    Args:
        comparison: to be shown.
        written: date and time.
    """
    record = comparison.record
    several = len(comparison.classes) > 1
    front: list[Block] = [Paragraph(f"{RESEARCH_ONLY}.", warning=True)]
    front += [Paragraph(note, note=True) for note in record["notes"]]
    for summary in comparison.classes:
        if several:
            front.append(Subheading(summary.name))
        front.append(Bullets(tuple(("", sentence) for sentence in sentences(summary))))
        front.append(_interval_table(summary))
    front.append(Facts(_facts(comparison, written)))
    sections = [Section("reading", "How to read this", [Paragraph(_READING), Paragraph(RULE)])]
    for number, summary in enumerate(comparison.classes):
        ending = f": {summary.name}" if several else ""
        cases = [row for row in comparison.cases if row["class"] == summary.name]
        sections.append(Section(f"cases-{number}", f"Cases{ending}", _case_blocks(summary, cases)))
        ranked = [row for row in comparison.most_different if row["class"] == summary.name]
        blocks = _frame_blocks(ranked, comparison.pictured[summary.name])
        sections.append(Section(f"frames-{number}", f"Where A and B differ most{ending}", blocks))
    if comparison.errors:
        rows = tuple(comparison.errors.items())
        table = Table(("image", "why"), rows, frozenset({"image", "why"}), "Images that could not be compared.")
        sections.append(Section("errors", "Errors", [table]))
    sections.append(Section("provenance", "Provenance", [_provenance(record)]))
    names = [plain(record[letter].get("checkpoint")) for letter in "ab"]
    return Document("Two checkpoints compared", f"A: {names[0]} · B: {names[1]}", front, sections)


def _interval_table(summary: ClassSummary) -> Table:
    rows: list[tuple[str, ...]] = []

    def add(name: str, interval: Interval, *, is_difference: bool = True) -> None:
        if is_difference:
            ends = (signed(interval.value), interval_text(interval))
        else:
            low, high = score(interval.low), score(interval.high)
            ends = (score(interval.value), UNDEFINED if interval.low is None else f"{low} to {high}")
        rows.append((name, *ends, str(interval.cases), method_text(interval)))

    if summary.truth_frames:
        add("Dice against the truth, B − A", summary.dice_difference)
        add("IoU against the truth, B − A", summary.iou_difference)
    add("Dice of A and B", summary.dice, is_difference=False)
    for unit, area in summary.areas.items():
        ends = UNDEFINED if area.low is None else f"{area_text(area.low)} to {area_text(area.high)}"
        rows.append((f"area in {unit}, B − A", area_text(area.value), ends, str(area.cases), method_text(area)))
    columns = ("figure", "mean", "95 % interval", "cases", "how")
    return Table(columns, tuple(rows), frozenset({"figure", "how"}), "Means over cases.")


def _facts(comparison: Comparison, written: datetime) -> tuple[tuple[str, str], ...]:
    record = comparison.record
    facts = []
    for letter in "ab":
        model = record[letter]
        network = " with ".join(str(model[key]) for key in ("architecture", "encoder") if model.get(key))
        name = f"{plain(model.get('checkpoint'))}, {network}, threshold {model['threshold']:g}"
        facts += [(letter.upper(), name), (f"{letter.upper()} (SHA-256)", plain(model.get("sha256")))]
    images, frames = len(record["images"]), len({(row["image"], row["frame"]) for row in comparison.rows})
    cases = len({row["case"] for row in comparison.cases})
    of_found = f", out of {record['found']}" if record["found"] > images + len(comparison.errors) else ""
    return (
        *facts,
        ("Compared", f"{counted(frames, 'frame')} of {counted(images, 'image')}{of_found}; {counted(cases, 'case')}"),
        *((("Failed", counted(len(comparison.errors), "image")),) if comparison.errors else ()),
        ("Seed", str(record["interval"]["seed"])),
        ("Written", written.isoformat(" ", "minutes")),
    )


def _case_blocks(summary: ClassSummary, cases: Sequence[Row]) -> list[Block]:
    blocks: list[Block] = []
    if summary.truth_cases:
        blocks += _plot(cases, "dice_difference", summary.dice_difference, "Dice against the truth (B − A)")
    blocks += _plot(cases, "dice", summary.dice, "Dice of A and B")
    by_truth = bool(summary.truth_cases)

    def key(row: Row) -> float:
        value = abs(row["dice_difference"] or 0) if by_truth else 1 - (1 if row["dice"] is None else row["dice"])
        return -float(value)

    ranked = sorted(cases, key=key)
    columns = ["case", "frames", "Dice of A and B", "lowest", "in frame", "area A", "area B", "B − A", "unit"]
    if by_truth:
        columns += ["Dice A", "Dice B", "Dice B − A"]
    rows = tuple(_case_cells(row, by_truth) for row in ranked[:_MOST_ROWS])
    order = "difference of Dice against the truth" if by_truth else "difference"
    more = f" {len(ranked) - len(rows)} more are in cases.csv." if len(ranked) > len(rows) else ""
    caption = f"{counted(len(ranked), 'case')}, the largest {order} first.{more}"
    blocks.append(Table(tuple(columns), rows, frozenset({"case", "unit"}), caption, sortable=True))
    return blocks


def _case_cells(row: Row, by_truth: bool) -> tuple[str, ...]:
    cells = (
        str(row["case"]),
        str(row["frames"]),
        score(row["dice"]),
        score(row["dice_lowest"]),
        UNDEFINED if row["lowest_frame"] is None else str(row["lowest_frame"]),
        significant(row["area_a"]),
        significant(row["area_b"]),
        area_text(row["area_difference"]),
        row["area_unit"] or UNDEFINED,
    )
    return (*cells, score(row["dice_a"]), score(row["dice_b"]), signed(row["dice_difference"])) if by_truth else cells


def _plot(cases: Sequence[Row], column: str, interval: Interval, label: str) -> list[Block]:
    known = [row for row in cases if row[column] is not None]
    if len(known) < 2:
        return []
    caption = f"{label}: one point a case, the mean (line) and its {method_text(interval)} (band)."
    if len(known) < len(cases):
        caption += f" {counted(len(cases) - len(known), 'case')} without this figure."
    return [plot_cases([str(row["case"]) for row in known], [row[column] for row in known], interval, label, caption)]


def _frame_blocks(ranked: Sequence[Row], pictured: Sequence[DifferentFrame]) -> list[Block]:
    if not ranked:
        return [Paragraph("A and B have the same mask in every frame in which one of them finds something.")]
    legend = LEGEND_TRUTH if any(one.truth is not None for one in pictured) else LEGEND
    cards = Cards(tuple(_card(one) for one in pictured))
    columns = ("image", "frame", "Dice of A and B", "area A", "area B", "unit", "pixels that differ")
    rows = tuple(
        (
            str(row["image"]),
            str(row["frame"]),
            score(row["dice"]),
            significant(row["area_a"]),
            significant(row["area_b"]),
            str(row["area_unit"]),
            f"{row['only_a'] + row['only_b']} ({percent(row['disagreement'])})",
        )
        for row in ranked[:_MOST_ROWS]
    )
    more = f" {len(ranked) - len(rows)} more differ less." if len(ranked) > len(rows) else ""
    caption = f"Frames by the Dice of A and B, the lowest first; frames are counted from 0.{more}"
    table = Table(columns, rows, frozenset({"image", "unit"}), caption, sortable=True)
    note = "The frames with the lowest Dice of A and B, at most two of a case where there are enough cases."
    return [Paragraph(f"{note} {legend}"), cards, table]


def _card(one: DifferentFrame) -> Card:
    row = one.row
    note = f"Dice of A and B {score(row['dice'])}"
    if row["dice_a"] is not None or row["dice_b"] is not None:
        note += f"; against the truth A {score(row['dice_a'])}, B {score(row['dice_b'])}"
    name = f"{row['image']}, frame {row['frame']}"
    return Card(name, note, difference_jpeg(one), alternative=f"Outlines of A and B on {name}")


def _provenance(record: Mapping[str, Any]) -> Facts:
    parts = {"A": record["a"], "B": record["b"], "Option": record["options"], "Version": record["versions"]}
    return Facts(
        tuple(
            (f"{title}: {words(str(name))}", plain(value))
            for title, part in parts.items()
            for name, value in part.items()
        )
    )
