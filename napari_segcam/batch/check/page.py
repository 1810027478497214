"""The page of a check: the verdict first, then the tables that it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from napari_segcam.batch.check.verdict import Verdict
from napari_segcam.number_format import counted
from napari_segcam.reporting.report.document import (
    RESEARCH_ONLY,
    Block,
    Bullets,
    Cell,
    Document,
    Facts,
    Paragraph,
    Section,
    Subheading,
    Table,
)
from napari_segcam.reporting.report.evidence.section import worst_blocks
from napari_segcam.reporting.report.evidence.tables import (
    flag_table,
    map_table,
    method_table,
    overlay_blocks,
    stage_table,
    untested_table,
)
from napari_segcam.reporting.report.text import plain, words
from napari_segcam.reporting.run_format import Row


def page_of(
    verdicts: Sequence[Verdict],
    rows: Sequence[Row],
    record: Mapping[str, Any],
    errors: Mapping[str, str],
    written: datetime,
) -> Document:
    """Return the content of ``check.html``.

    Args:
        verdicts: on the classes.
        rows: that they are of.
        record: what was checked and how, in plain values.
        errors: by image, of those that could not be checked.
        written: date and time.
    """
    model = record["model"]
    front: list[Block] = [Paragraph(f"{RESEARCH_ONLY}.", warning=True)]
    if record["stopped"]:
        front.append(Paragraph("The check was stopped: only the images up to then count.", warning=True))
    for verdict in verdicts:
        if len(verdicts) > 1:
            front.append(Subheading(verdict.summary.class_name))
        front.append(Bullets(tuple(("", sentence) for sentence in verdict.sentences)))
        front.append(stage_table(verdict.summary))
        front += method_table(verdict.summary) if verdict.summary.tests else ()
    frames = counted(max((verdict.summary.frames for verdict in verdicts), default=0), "frame")
    images = counted(record["images"], "image")
    facts = (
        ("Network", f"{plain(model.get('architecture'))}, {plain(model.get('checkpoint'))}"),
        ("Weights (SHA-256)", plain(model.get("sha256"))),
        ("Checked", f"{frames} of {images}, out of {record['found']}"),
        ("Written", written.isoformat(" ", "minutes")),
    )
    sections = [_section(verdict, rows, number, len(verdicts)) for number, verdict in enumerate(verdicts)]
    if errors:
        table = Table(("image", "why"), tuple(errors.items()), frozenset({"image", "why"}), "Images without evidence.")
        sections.append(Section("errors", "Errors", [table]))
    sections.append(Section("provenance", "Provenance", [_provenance(record)]))
    title = f"Check of {model.get('checkpoint') or 'a network'}"
    return Document(title, f"What its heatmaps are worth, on {images}", [*front, Facts(facts)], sections)


def _section(verdict: Verdict, rows: Sequence[Row], number: int, count: int) -> Section:
    summary = verdict.summary
    own = [row for row in rows if row["class"] == summary.class_name]
    names: dict[object, Cell] = {row["image"]: str(row["image"]) for row in own}
    blocks: list[Block] = [map_table(summary)] if summary.tests else []
    blocks.append(flag_table(summary))
    if untested := untested_table(summary):
        blocks.append(untested)
    if summary.overlays:
        blocks += overlay_blocks(summary.overlays, summary.class_name)
    blocks += worst_blocks(own, names)
    title = "Maps, overlays and doubt" + (f": {summary.class_name}" if count > 1 else "")
    return Section(f"class-{number}", title, blocks)


def _provenance(record: Mapping[str, Any]) -> Facts:
    return Facts(
        tuple(
            (f"{words(part).capitalize()}: {words(str(name))}", plain(value))
            for part in ("model", "options", "versions")
            for name, value in record[part].items()
        )
    )
