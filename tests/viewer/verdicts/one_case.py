"""An open review of one case, with a real log and a real session: what tests of verdicts work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_segcam.review.actions import redo_action, undo_action
from napari_segcam.review.log.events import CaseDone
from napari_segcam.review.log.rater_log import RaterLog
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.verdicts.blinding_controller import BlindingController
from napari_segcam.viewer.verdicts.verdicts_controller import VerdictsController

REASONS = ("false positive", "missed", "wrong extent", "artifact", "not assessable")


class OneCase(QObject):
    """An open review of whatever image is in view, with a real log."""

    opened = Signal()
    closed = Signal()
    reading_changed = Signal()
    state_changed = Signal()

    def __init__(self, session: ReviewSession, folder: Path) -> None:
        super().__init__(session)
        self._session = session
        self._folder = folder
        self.project: Any = None
        self.log: RaterLog | None = None
        self.reading: Reading | None = None
        self.finished = 0
        self.has_other_network = False

    @property
    def state(self) -> ReadingState | None:
        return None if self.log is None or self.reading is None else self.log.state.of(self.reading)

    def open(self, **settings: Any) -> None:
        chosen = {"reasons": REASONS, "hide_prediction": False, "hide_heatmaps": "never", **settings}
        self.project = SimpleNamespace(settings=SimpleNamespace(**chosen))
        self.log = RaterLog(self._folder, "ann")
        self.opened.emit()

    def read(self, case: str, repeat: int = 1) -> None:
        self.reading = Reading(case, repeat)
        self.reading_changed.emit()

    def close(self) -> None:
        if self.log is not None:
            self.log.close()
        self.project, self.log, self.reading = None, None, None
        self.closed.emit()

    def append(self, event: Any) -> Any:
        assert self.log is not None
        numbered = self.log.append(event)
        self.state_changed.emit()
        return numbered

    def is_shown(self, reading: Reading) -> bool:
        return reading == self.reading and self._session.image is not None

    def finish(self) -> None:
        if self.reading is not None:
            self.append(CaseDone(case=self.reading.case, repeat=self.reading.repeat))
            self.finished += 1

    def undo(self) -> Any:
        event = None if self.log is None else undo_action(self.log)
        self.state_changed.emit()
        return event

    def redo(self) -> Any:
        event = None if self.log is None else redo_action(self.log)
        self.state_changed.emit()
        return event


@dataclass
class Review:
    """What a test works with."""

    session: ReviewSession
    project: OneCase
    verdicts: VerdictsController
    blinding: BlindingController
    finish: Callable[[ReviewSession], None]

    def events(self, *kinds: str) -> list[Any]:
        """Return the events of these kinds in the log."""
        assert self.project.log is not None
        return [event for event in self.project.log.events if event.kind in kinds]

    def given(self) -> list[tuple[Any, ...]]:
        """Return the verdicts on the mask that count: frames and value."""
        assert self.project.state is not None
        return [(one.first, one.last, one.value) for one in self.project.state.verdicts if one.about == "mask"]

    def run(self, stages: tuple[str, ...] | None = ("encoder_5",)) -> None:
        """Run on all frames, and wait for the end."""
        self.session.run(RunRequest(stages=stages), "all")
        self.finish(self.session)

    def paint(self, frame: int, rows: slice = slice(5, 20), columns: slice = slice(5, 20)) -> None:
        """Paint a square into a frame, as one stroke, and keep it in the log as the window does."""
        layers, review = self.session.layers(), self.session.review
        assert layers is not None
        assert review is not None
        assert self.project.log is not None
        labels = layers.mask or layers.corrections.layer
        assert labels is not None
        index = np.s_[frame, rows, columns] if labels.ndim == 3 else np.s_[rows, columns]
        places = np.nonzero(np.zeros(labels.data.shape, bool) | _square(labels.data.shape, index))
        labels.data_setitem(places, 1)
        assert self.project.reading is not None
        self.project.log.correct(self.project.reading, frame, layers.corrections.pixels(frame))
        self.project.state_changed.emit()


def _square(shape: tuple[int, ...], index: Any) -> np.ndarray:
    square = np.zeros(shape, bool)
    square[index] = True
    return square


def review_of_one_case(session: ReviewSession, folder: Path, finish: Callable[[ReviewSession], None]) -> Review:
    """Let the verdicts of a session be about one case, in place of the project that the window can open."""
    for kind in (VerdictsController, BlindingController):
        controller_of(session, kind).setParent(None)
    project = OneCase(session, folder)
    blinding = BlindingController(session, project)
    return Review(session, project, VerdictsController(session, project), blinding, finish)
