"""The open project of a session: its log, and which reading is in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_segcam.review.log.events import Answer, Grade, Shown, Verdict
from napari_segcam.review.log.rater_log import RaterLog, SomeEvent
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.project import ReviewProject
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.project.case_layers import CaseLayers
from napari_segcam.viewer.project.kept_input import input_of, is_same
from napari_segcam.viewer.project.reader_jobs import ReaderJobs

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class OpenProject(QObject):
    """What the parts of a review have in common. All of it is for the UI thread.

    Attributes:
        project: that is open, or None.
        log: of its rater, or None.
        rater: who reads; empty without a project.
        failure: why the log cannot be written, in words; empty if it can.
        reader: opens projects and decodes images.
        layers: of the case in view.
    """

    opened = Signal()
    closed = Signal()
    reading_changed = Signal()
    state_changed = Signal()
    saved = Signal(int)
    error = Signal(str)

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self.project: ReviewProject | None = None
        self.log: RaterLog | None = None
        self.rater = ""
        self.failure = ""
        self.reader = ReaderJobs(self)
        self.reader.failed.connect(self.error)
        self.layers = CaseLayers(session, self)
        self._reading: Reading | None = None  # that was gone to, with or without its image
        session.image_changed.connect(self.reading_changed)

    @property
    def reading(self) -> Reading | None:
        """The reading in view; None without a project, and while an image of another kind is chosen."""
        image = self._session.image
        return self._reading if image is None or image is self.layers.image or self.layers.image is None else None

    @property
    def has_other_network(self) -> bool:
        """Whether a network is loaded that is not the one of the project, whose masks are not those to judge."""
        return False

    @property
    def state(self) -> ReadingState | None:
        """The state of the reading in view."""
        reading = self.reading
        return None if reading is None or self.log is None else self.log.state.of(reading)

    def state_of(self, reading: Reading) -> ReadingState:
        """Return the state of any reading."""
        return ReadingState() if self.log is None else self.log.state.of(reading)

    def is_shown(self, reading: Reading) -> bool:
        """Whether the image of a reading is in view."""
        return reading == self._reading and self.layers.is_shown and self._session.image is self.layers.image

    def keep_input(self, reading: Reading | None) -> None:
        """Append what the network sees of the case in view, if that has changed: what follows is about its results.

        Args:
            reading: of the case in view; with None, nothing is appended.
        """
        review = self._session.review
        if self.log is None or review is None or reading is None or review.image is not self.layers.image:
            return
        seen = input_of(review, reading)
        if not is_same(seen, self.log.state.of(reading).input_at()):
            self.log.append(seen)

    def append(self, event: SomeEvent) -> SomeEvent | None:
        """Append what the rater did to the log; return the event with its number, or None without a project."""
        if self.log is None:
            return None
        if isinstance(event, Verdict | Grade | Answer | Shown):
            self.keep_input(self.reading)
        numbered = self.log.append(event)
        self.state_changed.emit()
        return numbered
