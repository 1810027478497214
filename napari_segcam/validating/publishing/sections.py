"""The sections of a report with the model card and with the CLAIM 2024 checklist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from napari_segcam.number_format import UNDEFINED
from napari_segcam.reporting.report.document import Block, Bullets, Paragraph, Section, Subheading, Table
from napari_segcam.validating.publishing.claim import ClaimAnswer, Status
from napari_segcam.validating.publishing.claim_items import ARTICLE, ITEMS, NUMBERING
from napari_segcam.validating.publishing.model_card_page import CardPart

_STATUS: dict[Status, str] = {
    "answered": "answered by this run",
    "partly": "partly",
    "author": "the author must write it",
}


def card_section(parts: Sequence[CardPart]) -> Section:
    """Return the section with the model card, which ``model_card.md`` has as a file."""
    blocks: list[Block] = [
        Paragraph(
            "What a user of the network wants to know, as far as the run can say. The file model_card.md has the same, "
            "for you to complete."
        )
    ]
    for part in parts:
        blocks += [Subheading(part.title), Bullets(part.facts)]
    return Section("model-card", "Model card", blocks)


def claim_section(answers: Sequence[ClaimAnswer]) -> Section:
    """Return the section with the checklist, which ``claim_2024.csv`` has as a file."""
    counts = Counter(one.status for one in answers)
    listed = ", ".join(f"{counts[status]} {words}" for status, words in _STATUS.items())
    introduction = (
        f"The {len(ITEMS)} items of CLAIM 2024 ({ARTICLE}), and what this run says on each: {listed}. Answered means "
        "that the figures are here, not that they are good, and not that the paper says so."
    )
    rows = tuple(
        (
            str(one.item.number),
            f"{one.item.part}: {one.item.topic}",
            _STATUS[one.status],
            one.where or UNDEFINED,
            one.what or UNDEFINED,
        )
        for one in answers
    )
    table = Table(
        ("item", "topic", "status", "section", "what"), rows, frozenset({"topic", "status", "section", "what"})
    )
    return Section(
        "claim-2024", "CLAIM 2024 checklist", [Paragraph(introduction), Paragraph(NUMBERING, note=True), table]
    )
