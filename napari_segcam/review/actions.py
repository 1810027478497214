"""Actions of a rater: a stroke and the verdict that it gives are two events, but one action to undo."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.review.log.events import UNDOABLE, AnyEvent, Correction, Verdict
from napari_segcam.review.log.rater_log import RaterLog


def undo_action(log: RaterLog) -> AnyEvent | None:
    """Take the last action back: a verdict that a stroke gave, together with the stroke.

    Returns:
        The event that no longer counts, of both the stroke; None if there is none.
    """
    event = log.undo()
    if event is not None and _is_pair(_neighbor(log.events, event, -1), event):
        return log.undo() or event
    return event


def redo_action(log: RaterLog) -> AnyEvent | None:
    """Do the last action that was undone again: a stroke together with the verdict that it gave.

    Returns:
        The event that counts again, of both the stroke; None if there is none.
    """
    event = log.redo()
    if event is not None and _is_pair(event, _neighbor(log.events, event, 1)):
        log.redo()
    return event


def _neighbor(events: Sequence[AnyEvent], event: AnyEvent, step: int) -> AnyEvent | None:
    """Return the event before (-1) or after (1) an event, among those that can be undone."""
    undoable = [one for one in events if isinstance(one, UNDOABLE)]
    place = next((place for place, one in enumerate(undoable) if one.n == event.n), -1)
    there = place + step
    return undoable[there] if place >= 0 and 0 <= there < len(undoable) else None


def _is_pair(stroke: AnyEvent | None, verdict: AnyEvent | None) -> bool:
    """Return whether a verdict was given by a stroke, or taken back with it."""
    if not isinstance(stroke, Correction) or not isinstance(verdict, Verdict) or verdict.reading != stroke.reading:
        return False
    frames = (verdict.first, verdict.last)
    is_on_frame = frames == (stroke.frame, stroke.frame) or (frames == (None, None) and stroke.frame == 0)  # of a still
    is_on_mask = verdict.about == "mask" and verdict.finding is None
    return is_on_mask and is_on_frame and verdict.value == (None if stroke.mask is None else "correct")
