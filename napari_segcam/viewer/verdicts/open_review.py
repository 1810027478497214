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
    def has_other_network(self) -> bool:
        """Whether the loaded network is not the one of the project."""

    @property
    def state(self) -> ReadingState | None:
        """The state of the reading in view, or None."""

    def append(self, event: SomeEvent) -> SomeEvent | None:
        """Append an event to the log."""

    def is_shown(self, reading: Reading) -> bool:
        """Whether the image of a reading is in view: it may still be opening."""

    def finish(self) -> object:
        """Mark the reading in view as done, and go to the next that is not."""


def reading_in_view(review: OpenReview) -> Reading | None:
    """Return the reading whose image is in view; None also while its image is still opening."""
    reading = review.reading
    return reading if reading is not None and review.is_shown(reading) else None


def state_in_view(review: OpenReview) -> ReadingState | None:
    """Return the state of the reading whose image is in view, or None."""
    return None if reading_in_view(review) is None else review.state
