"""Closing the window with a project open: what is left is written first, and nothing is lost without a question."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget

from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.project.open_project import OpenProject
from napari_segcam.viewer.review.question import Answer, Question, ask

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_WRITE_SECONDS = 5.0  # that the window waits for the disk


class ClosingGuard(QObject):
    """Closes the project with its window, and asks first if the rater's work cannot be written.

    Attributes:
        question: the last one.
    """

    def __init__(self, session: ReviewSession, project: OpenProject, keep_view: Callable[[], None]) -> None:
        super().__init__(project)
        self._session = session
        self._project = project
        self._keep_view = keep_view
        self._is_confirmed = False
        self.question: Question | None = None
        canvas = canvas_of(session.viewer)
        self._window: weakref.ref[QWidget] | None = None if canvas is None else weakref.ref(canvas.window())
        if canvas is not None:
            canvas.window().installEventFilter(self)
            self_ref = weakref.ref(project)
            canvas.window().destroyed.connect(lambda: _close(self_ref))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        window = None if self._window is None else self._window()
        if watched is not window or event.type() != QEvent.Type.Close:
            return False
        project = self._project
        log = project.log
        if log is None:
            return False
        self._keep_view()
        if log.flush(_WRITE_SECONDS):
            project.saved.emit(log.events[-1].n)  # now: others that are asked about this window look at it
            return False
        if self._is_confirmed:
            return False
        self.question = ask(
            self._session.viewer,
            f"Your latest work cannot be written: {log.failure or 'the disk does not answer.'}",
            [f"{log.unsaved} actions since then"],
            [Answer("Stay and try again", lambda: None), Answer("Close and lose it", self._confirm, loses=True)],
        )
        if self.question is not None:
            event.ignore()
        return self.question is not None

    def _confirm(self) -> None:
        self._is_confirmed = True
        window = None if self._window is None else self._window()
        if window is not None:
            QTimer.singleShot(0, window.close)


def _close(project: weakref.ref[OpenProject]) -> None:
    """Release the log of a window that is gone, so that it can be opened again."""
    owner = project()
    if owner is not None and owner.log is not None:
        owner.log.close(_WRITE_SECONDS)
