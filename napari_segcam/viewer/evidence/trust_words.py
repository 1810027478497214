"""The trust line: what a heatmap in view is worth, in words."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.viewer.evidence.evidence_store import EvidenceStore
from napari_segcam.viewer.layers.frame_names import frame_in_words, frame_word
from napari_segcam.viewer.review.review import Review

_MOST_LINES = 3


def trust_lines(store: EvidenceStore, review: Review, frame: int, stages: Sequence[str]) -> list[str]:
    """Return a line for each of the stages whose heat is visible, the topmost layer first."""
    if store.influences(review) is None and not any(store.evidence(review, frame, stage) for stage in stages):
        return []  # nothing has been measured for these settings
    lines = [f"{stage}: {trust_words(store, review, frame, stage)}" for stage in stages[::-1]]
    more = len(lines) - _MOST_LINES
    return lines if more <= 1 else [*lines[:_MOST_LINES], f"… and {more} more stages"]


def trust_words(store: EvidenceStore, review: Review, frame: int, stage: str) -> str:
    """Return what the heatmap of a stage is worth in a frame, or that it was not checked there."""
    evidence, word = store.evidence(review, frame, stage), frame_word(review.image)
    statement = "" if evidence is None else evidence.statement
    if not is_of_shown_mask(review):
        return "not checked at this mask threshold"
    if store.is_checked(review, frame, stage):
        return statement or "checked: nothing that speaks against it"
    unchecked = f"not checked in this {word}{_elsewhere(store, review, frame, stage)}"
    return f"{unchecked}; {statement}" if statement else unchecked


def is_of_shown_mask(review: Review) -> bool:
    """Whether the mask in view is cut at the threshold of the explained one; also where that does not matter."""
    plan = review.results.shown
    if plan is None or not plan.network.segments or plan.request.region == "image":
        return True
    return plan.network.has_background or review.frame_jobs.mask_threshold == plan.threshold


def _elsewhere(store: EvidenceStore, review: Review, frame: int, stage: str) -> str:
    """Return that a stage takes no part in the frame in which that was measured; empty if it does, or is unknown."""
    influences = store.influences(review)
    measured = None if influences is None else influences.stages.get(stage)
    if influences is None or measured is None or influences.frame == frame or measured.takes_part is not False:
        return ""
    return f"; it takes no part in {frame_in_words(review.image, influences.frame)}"


def about(seconds: float) -> str:
    """Return a time that is not known exactly, in words."""
    if seconds < 10:
        return f"about {max(1, round(seconds))} s"
    return f"about {5 * round(seconds / 5)} s" if seconds < 90 else f"about {round(seconds / 60)} min"
