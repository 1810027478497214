"""The stage table: the figures of each stage in the frame in view, beside what chance gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from napari_segcam.number_format import UNDEFINED, grouped
from napari_segcam.viewer.evidence.evidence_store import EvidenceStore
from napari_segcam.viewer.layers.frame_names import frame_in_words, frame_word
from napari_segcam.viewer.review.review import Review

if TYPE_CHECKING:  # torch comes with these, and is imported in the worker first
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.evidence.null import Measurement
    from napari_segcam.evidence.stage_evidence import StageEvidence

NO_RATIO = "undefined"
INFLUENCE_TIP = (
    "How much of the mask (or of the explained score) is lost if the map of the stage is replaced by its mean.\n"
    "none: less than 5 %, so the stage takes no part, and its heatmap tells nothing about this mask.\n"
    "In brackets: measured in another {frame}."
)
RATIO_TIP = (
    "Mean heat inside the region divided by mean heat outside it, in the current {frame}.\n"
    "A large figure alone says little: compare it with chance, and see whether the stage takes part."
)
CHANCE_TIP = (
    "The in / out figure of the same region at random places of the scan, and p: the share of these places, the region "
    "itself counted, where it is at least as large."
)
_ECHO_TIP = "The heatmap repeats the mask ({echo:.2f}): it does not tell where the network looked."


@dataclass(frozen=True)
class StageRow:
    """What the table says about a stage, with a longer text for each cell.

    Attributes:
        takes_part: whether the stage takes part in the mask; None where that is unknown.
        is_echo: whether its heatmap repeats the mask in the frame.
        name_tip: on its name, besides what it is.
        influence: loss of the mask or the score without it; in brackets if measured in another frame.
        influence_tip: on that.
        ratio: heat inside over heat outside.
        ratio_tip: on that.
        chance: the same for random places, with p.
        chance_tip: on that.
    """

    takes_part: bool | None = None
    is_echo: bool = False
    name_tip: str = ""
    influence: str = ""
    influence_tip: str = ""
    ratio: str = ""
    ratio_tip: str = ""
    chance: str = ""
    chance_tip: str = ""


def stage_row(store: EvidenceStore, review: Review, frame: int, stage: str, attention: Attention | None) -> StageRow:
    """Return the row of a stage.

    Args:
        store: what has been measured.
        review: of the image.
        frame: the one in view.
        stage: its name.
        attention: its figures in the frame; None if it is not explained.
    """
    word, evidence = frame_word(review.image), store.evidence(review, frame, stage)
    influence, influence_tip, takes_part = _influence(store, review, frame, stage, evidence)
    ratio, ratio_tip = _ratio(attention, evidence, RATIO_TIP.format(frame=word))
    chance, chance_tip = chance_text(evidence)
    statement = "" if evidence is None else evidence.statement
    name_tip = f"In this {word}: {statement}" if statement else ""
    is_echo = evidence is not None and evidence.repeats_the_mask
    return StageRow(takes_part, is_echo, name_tip, influence, influence_tip, ratio, ratio_tip, chance, chance_tip)


def _influence(
    store: EvidenceStore, review: Review, frame: int, stage: str, here: StageEvidence | None
) -> tuple[str, str, bool | None]:
    general = INFLUENCE_TIP.format(frame=frame_word(review.image))
    influences = store.influences(review)
    if here is not None and here.influence is not None:
        return influence_text(here), f"{_words(here)} (this {frame_word(review.image)})\n\n{general}", here.takes_part
    if influences is None:
        return "", general, None
    if influences.failure:
        return UNDEFINED, f"Not measured: {influences.failure}", None
    measured = influences.stages.get(stage)
    if measured is None:
        return "", general, None
    text = influence_text(measured)
    where = frame_in_words(review.image, influences.frame)
    return (
        text if influences.frame == frame else f"({text})",
        f"{_words(measured)} ({where})\n\n{general}",
        (measured.takes_part),
    )


def influence_text(evidence: StageEvidence) -> str:
    """Return the influence of a stage as a percentage, "none", or "unclear"."""
    influence = evidence.influence
    if influence is None or influence.value is None:
        return UNDEFINED
    if influence.takes_part is None:
        return "unclear"
    return f"{influence.value:.0%}".replace("%", " %").replace("-", "−") if influence.takes_part else "none"


def _words(evidence: StageEvidence) -> str:
    from napari_segcam.evidence.stage_evidence import StageEvidence

    words = StageEvidence(evidence.stage, evidence.influence).statement
    return f"{evidence.stage.name}: {words or evidence.undefined.get('influence', 'not measured')}"


def _ratio(attention: Attention | None, evidence: StageEvidence | None, general: str) -> tuple[str, str]:
    if attention is None:
        return "", general
    text = NO_RATIO if attention.ratio is None else grouped(attention.ratio, digits=2)
    tips = [attention.undefined or general]
    if evidence is not None and evidence.repeats_the_mask:
        tips.insert(0, _ECHO_TIP.format(echo=evidence.echo))
    return text, "\n".join(tips)


def chance_text(evidence: StageEvidence | None) -> tuple[str, str]:
    """Return what chance gives and p, and that in full; the first is empty if it was not measured."""
    if evidence is None or evidence.in_out is None:
        return "", CHANCE_TIP
    ratio, share = evidence.in_out.ratio, evidence.in_out.share
    shown = ratio if ratio.p is not None else share
    if shown.p is None:
        return UNDEFINED, shown.undefined or CHANCE_TIP
    name, typical = _typical(shown)
    places = len(shown.null)
    if shown is ratio:
        words = f"{name} of {places} random places: {grouped(typical, digits=2)}; p = {shown.p:.2g}."
        return f"{grouped(typical, digits=2)}, p {shown.p:.2g}", f"{words}\n\n{CHANCE_TIP}"
    words = f"{shown.value:.0%} of the heat is inside; {name.lower()} of {places} random places: {typical:.0%}"
    return f"p {shown.p:.2g}", f"{words}; p = {shown.p:.2g}.\n\n{CHANCE_TIP}".replace("%", " %")


def _typical(measurement: Measurement) -> tuple[str, float]:
    """Return the mean of the null, or the median where a place with all the heat makes the mean infinite."""
    expected = measurement.expected or 0.0
    return ("Mean", expected) if math.isfinite(expected) else ("Median", median(measurement.null))
