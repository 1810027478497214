"""Ratings: the verdict that a rater gave to a case, to each of its frames and to each of its findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from napari_segcam.review.log.events import Frames, Grade, Verdict
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.project_file import Case

Scope = Literal["case", "frame", "finding"]


@dataclass(frozen=True)
class Question:
    """What is rated.

    Attributes:
        about: ``mask``, ``heatmap`` or ``quality``.
        checkpoint: whose mask or heatmap it is.
        stage: of the heatmap; None for a mask, and for a verdict on all heatmaps.
    """

    about: str = "mask"
    checkpoint: str = "A"
    stage: str | None = None


CATEGORIES: dict[str, tuple[str | int, ...]] = {
    "mask": ("accept", "correct", "reject"),
    "heatmap": ("plausible", "implausible", "cannot tell"),
    "quality": (1, 2, 3, 4, 5),
}
"""The ratings of each kind of question; those of quality are ordered."""

Rating = str | int


@dataclass(frozen=True)
class CaseRating:
    """The rating of a whole case; ``value`` is None with the ``reason`` why there is none."""

    value: Rating | None
    reason: str = ""


def case_rating(state: ReadingState, case: Case, question: Question) -> CaseRating:
    """Return the rating of a case.

    It is the one that was given to the whole case. Where there is none, but every frame has a rating of its own and
    all are equal, it is that one; a still has one frame.
    """
    whole = [event for event in _events(state, question) if event.first is None]
    if whole:
        return CaseRating(_value(whole[-1]))
    frames = frame_ratings(state, case, question)
    rated = {value for value in frames if value is not None}
    if not rated:
        has_findings = question.about == "mask" and any(_asked(verdict, question, 0) for verdict in state.verdicts)
        return CaseRating(None, "only findings were rated" if has_findings else "not rated")
    if None in frames:
        count = sum(value is None for value in frames)
        return CaseRating(None, f"{count} of {len(frames)} frames were not rated")
    if len(rated) > 1:
        return CaseRating(None, "its frames were rated differently")
    return CaseRating(rated.pop())


def frame_ratings(state: ReadingState, case: Case, question: Question) -> list[Rating | None]:
    """Return the rating of each frame of a case: the latest on frames with it, else that on the whole case."""
    frames: list[Rating | None] = [None] * frame_count(state, case)
    events = _events(state, question)
    for event in (*(event for event in events if event.first is None), *(e for e in events if e.first is not None)):
        first, last = (0, len(frames) - 1) if event.first is None else (event.first, event.last or 0)
        for frame in range(first, min(last, len(frames) - 1) + 1):
            frames[frame] = _value(event)
    return frames


def frame_count(state: ReadingState, case: Case) -> int:
    """Return how many frames a case has; where that is unknown, one more than the last that was rated."""
    if case.frames:
        return case.frames
    rated = [event.last for event in (*state.verdicts, *state.grades) if event.last is not None]
    return max(rated, default=0) + 1


def finding_ratings(state: ReadingState, question: Question) -> dict[tuple[int | None, int | None, int], Rating]:
    """Return the rating of each finding, by the first and last frame and the finding's number."""
    ratings: dict[tuple[int | None, int | None, int], Rating] = {}
    for verdict in state.verdicts:
        if verdict.finding is not None and _asked(verdict, question, verdict.finding) and verdict.value is not None:
            ratings[verdict.first, verdict.last, verdict.finding] = verdict.value
    return ratings


def stages_asked(states: Iterable[ReadingState], checkpoint: str) -> list[str | None]:
    """Return the stages whose heatmaps were rated; None stands for verdicts on all heatmaps."""
    stages = {
        verdict.stage
        for state in states
        for verdict in state.verdicts
        if verdict.about == "heatmap" and verdict.checkpoint == checkpoint
    }
    return sorted(stages, key=lambda stage: stage or "")


def _events(state: ReadingState, question: Question) -> list[Verdict] | list[Grade]:
    """Return the events that answer a question about all of the mask or heatmap, in the order of their numbers."""
    if question.about == "quality":
        return [grade for grade in state.grades if grade.checkpoint == question.checkpoint]
    return [verdict for verdict in state.verdicts if _asked(verdict, question, None)]


def _asked(verdict: Verdict, question: Question, finding: int | None) -> bool:
    """Return whether a verdict answers a question about a finding; 0 stands for any finding."""
    fits = verdict.finding is not None if finding == 0 else verdict.finding == finding
    return (
        fits
        and verdict.about == question.about
        and verdict.checkpoint == question.checkpoint
        and (question.about == "mask" or verdict.stage == question.stage)
    )


def _value(event: Frames) -> Rating | None:
    return event.value if isinstance(event, Verdict | Grade) else None
