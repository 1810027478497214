"""Undo and redo in the log: the window goes to the place of the action, and shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_segcam.review.actions import redo_action, undo_action
from napari_segcam.review.log.events import AnyEvent, Correction, Frames, ReadingEvent
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.project.corrections import KeptCorrections
from napari_segcam.viewer.project.open_project import OpenProject

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

GoTo = Callable[[Reading, int | None], None]

_WORDS = {
    "verdict": "verdict",
    "grade": "grade",
    "note": "note",
    "correction": "stroke",
    "measured": "measurement",
    "case_done": "mark as done",
}


class History:
    """Takes back what the rater did last, whatever it was, and does it again."""

    def __init__(self, session: ReviewSession, project: OpenProject, corrections: KeptCorrections, go_to: GoTo) -> None:
        self._go_to = go_to
        self._session = session
        self._project = project
        self._corrections = corrections

    @property
    def is_open(self) -> bool:
        """Whether a project is open."""
        return self._project.log is not None

    def undo(self) -> AnyEvent | None:
        """Take back the newest action; return its event, or None if there is none."""
        log = self._project.log
        return None if log is None else self._follow(undo_action(log), "Undone", "Nothing to undo in this review.")

    def redo(self) -> AnyEvent | None:
        """Do again what was taken back last; return its event, or None if there is none."""
        log = self._project.log
        return None if log is None else self._follow(redo_action(log), "Done again", "Nothing to redo in this review.")

    def _follow(self, event: AnyEvent | None, done: str, nothing: str) -> AnyEvent | None:
        project, session = self._project, self._session
        if not isinstance(event, ReadingEvent):
            session.viewer.status = nothing
            return event
        reading, frame = Reading(event.case, event.repeat), _frame_of(event)
        if project.is_shown(reading):
            if isinstance(event, Correction):
                self._corrections.apply(reading, event.frame, event.of_class)
            if frame is not None:
                session.go_to(frame)
        else:
            self._go_to(reading, frame)
        place = "" if frame is None else f", frame {frame}"
        session.viewer.status = f"{done}: {_WORDS.get(event.kind, event.kind)}{place}"
        project.state_changed.emit()
        return event


def _frame_of(event: ReadingEvent) -> int | None:
    frame = event.first if isinstance(event, Frames) else getattr(event, "frame", None)
    return frame if isinstance(frame, int) else None
