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


def verdict_in_words(verdict: Verdict, state: ReadingState) -> str:
    """Return a verdict without its frames: "rejected (missed)", "heatmap of encoder_5: implausible".

    Args:
        verdict: as above.
        state: of its reading, which tells whether a mask was corrected or only needs it.
    """
    if verdict.about == "heatmap":
        stage = f" of {verdict.stage}" if verdict.stage else ""
        return f"heatmap{stage}: {verdict.value}"
    reasons = f" ({', '.join(verdict.reasons)})" if verdict.reasons else ""
    finding = f"finding {verdict.finding} " if verdict.finding is not None else ""
    done = _DONE.get(str(verdict.value), "")
    if verdict.value == "correct" and not any(_is_on(verdict, frame) for frame, _of_class in state.corrections):
        done = "needs correction"
    if done and not verdict.saw_prediction:  # earlier versions let the reader judge a mask that was not computed yet
        done += " unseen"
    return f"{finding}{done}{reasons}"


def frames_in_words(event: Frames) -> str:
    """Return the frames of an event: "frame 3", "frames 3–9", or nothing for the whole case."""
    if event.first is None:
        return ""
    return f"frame {event.first}" if event.first == event.last else f"frames {event.first}–{event.last}"


def verdict_words(state: ReadingState, checkpoint: str = "A") -> str:
    """Return all that was decided about the mask of a case in a few words; empty without a verdict.

    For example "accepted, grade 4" or "frames 3–9: rejected (missed)".
    """
    verdicts = [verdict for verdict in state.verdicts if verdict.about == "mask" and verdict.checkpoint == checkpoint]
    parts = [_with_frames(verdict, verdict_in_words(verdict, state)) for verdict in verdicts]
    grades = [grade for grade in state.grades if grade.checkpoint == checkpoint]
    if len(grades) <= _MOST_PARTS:
        parts += [_with_frames(grade, grade_in_words(grade)) for grade in grades]
    if len(parts) <= _MOST_PARTS:
        return ", ".join(parts)
    return _counts(verdicts)


def grade_in_words(grade: Grade) -> str:
    """Return a grade without its frames."""
    return f"grade {grade.value}"


def _with_frames(event: Frames, words: str) -> str:
    frames = frames_in_words(event)
    return f"{frames}: {words}" if frames else words


def _counts(verdicts: Iterable[Verdict]) -> str:
    """Return how many verdicts there are of each kind."""
    values = [str(verdict.value) for verdict in verdicts]
    return ", ".join(f"{values.count(value)} {done}" for value, done in _DONE.items() if value in values)


def _is_on(verdict: Verdict, frame: int) -> bool:
    return verdict.first is None or verdict.last is None or verdict.first <= frame <= verdict.last


def _span(verdict: Verdict) -> slice:
    if verdict.first is None or verdict.last is None:
        return slice(None)
    return slice(verdict.first, verdict.last + 1)
