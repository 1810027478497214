"""The open review: what verdicts need of the project of a session."""

from __future__ import annotations

from typing import Any, Protocol

from napari_segcam.review.log.rater_log import RaterLog, SomeEvent
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.readings import Reading


class OpenReview(Protocol):
    """A part of ``ProjectController``.

    Attributes:
        opened, closed, reading_changed, state_changed: its signals.
        project: the open ``ReviewProject``, or None.
        log: of its rater, or None.
    """

    opened: Any
    closed: Any
    reading_changed: Any
    state_changed: Any
    project: Any
    log: RaterLog | None

    @property
    def reading(self) -> Reading | None:
        """The reading in view, or None."""

    @property
    def state(self) -> ReadingState | None:
        """The state of the reading in view, or None."""

    def append(self, event: SomeEvent) -> SomeEvent | None:
        """Append an event to the log."""

    def step(self, direction: int) -> object:
        """Go to the next reading (1) or the one before (-1)."""

    def undo(self) -> object:
        """Take back what was done last."""

    def redo(self) -> object:
        """Do again what was undone last."""
