"""The verdicts on a mask, frame by frame and in words."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from napari_segcam.review.log.events import Frames, Grade, Verdict
from napari_segcam.review.log.state import ReadingState

_DONE = {"accept": "accepted", "correct": "corrected", "reject": "rejected"}
_MOST_PARTS = 3  # of the words for a list of cases


class FrameVerdict(IntEnum):
    """The verdict on the mask of a frame."""

    NONE = 0
    ACCEPT = 1
    CORRECT = 2
    REJECT = 3


def frame_verdicts(state: ReadingState, frames: int, checkpoint: str = "A") -> NDArray[np.uint8]:
    """Return the verdict on the mask of each frame.

    A verdict on some frames comes before one on the whole case, and that before one on a finding; of several, the
    latest counts.

    Args:
        state: of the reading.
        frames: how many the case has.
        checkpoint: whose mask it is.

    Returns:
        ``(T,)`` of ``FrameVerdict``.
    """
    on_frames, on_findings = np.zeros(frames, np.uint8), np.zeros(frames, np.uint8)
    on_case = FrameVerdict.NONE
    for verdict in state.verdicts:
        if verdict.about != "mask" or verdict.checkpoint != checkpoint or verdict.value is None:
            continue
        code = FrameVerdict[verdict.value.upper()]
        if verdict.finding is not None:
            on_findings[_span(verdict)] = code
        elif verdict.first is None:
            on_case = code
        else:
            on_frames[_span(verdict)] = code
    whole = on_findings if on_case == FrameVerdict.NONE else np.full(frames, on_case, np.uint8)
    return np.where(on_frames != FrameVerdict.NONE, on_frames, whole)


def verdict_in_words(verdict: Verdict) -> str:
    """Return a verdict without its frames: "rejected (missed)", "heatmap of encoder_5 implausible"."""
    if verdict.about == "heatmap":
        stage = f" of {verdict.stage}" if verdict.stage else ""
        return f"heatmap{stage}: {verdict.value}"
    reasons = f" ({', '.join(verdict.reasons)})" if verdict.reasons else ""
    finding = f"finding {verdict.finding} " if verdict.finding is not None else ""
    return f"{finding}{_DONE.get(str(verdict.value), '')}{reasons}"


def frames_in_words(event: Frames) -> str:
    """Return the frames of an event: "frame 3", "frames 3–9", or nothing for the whole case."""
    if event.first is None:
        return ""
    return f"frame {event.first}" if event.first == event.last else f"frames {event.first}–{event.last}"


def verdict_words(state: ReadingState, checkpoint: str = "A") -> str:
    """Return all that was decided about the mask of a case in a few words; empty without a verdict.

    For example "accepted, grade 4" or "frames 3–9 rejected (missed)".
    """
    verdicts = [verdict for verdict in state.verdicts if verdict.about == "mask" and verdict.checkpoint == checkpoint]
    parts = [f"{frames_in_words(verdict)} {verdict_in_words(verdict)}".strip() for verdict in verdicts]
    grades = [grade for grade in state.grades if grade.checkpoint == checkpoint]
    if len(grades) <= _MOST_PARTS:
        parts += [f"{frames_in_words(grade)} {grade_in_words(grade)}".strip() for grade in grades]
    if len(parts) <= _MOST_PARTS:
        return ", ".join(parts)
    return _counts(verdicts)


def grade_in_words(grade: Grade) -> str:
    """Return a grade without its frames."""
    return f"grade {grade.value}"


def _counts(verdicts: Iterable[Verdict]) -> str:
    """Return how many verdicts there are of each kind."""
    values = [str(verdict.value) for verdict in verdicts]
    return ", ".join(f"{values.count(value)} {done}" for value, done in _DONE.items() if value in values)


def _span(verdict: Verdict) -> slice:
    if verdict.first is None or verdict.last is None:
        return slice(None)
    return slice(verdict.first, verdict.last + 1)
