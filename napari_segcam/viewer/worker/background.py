"""The background: exports and runs over folders, which go on while nothing else is to be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.utils import progress
from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.worker.worker import Job, Worker


@dataclass(frozen=True)
class Progress:
    """How far a job in the background has got; the last one tells how it ended.

    Attributes:
        done: how much of it.
        total: of how much; 0 where that is not known yet.
        words: what is being done, or what has come of it.
    """

    done: int
    total: int
    words: str


class Background(QObject):
    """One job at a time, whose results are ``Progress``; it is shown in napari's activity dock too.

    Attributes:
        job: that is going on, or None.
        told: what it said last, or the last job before it.
    """

    changed = Signal()

    def __init__(self, worker: Worker, parent: QObject) -> None:
        super().__init__(parent)
        self.job: Job | None = None
        self.told: Progress | None = None
        self._worker = worker
        self._shown: Any = None
        self._then: Callable[[], None] = lambda: None

    def start(self, make: Callable[[Callable[[], bool]], Job], then: Callable[[], None] = lambda: None) -> None:
        """Start a job; while another is going on it is refused in words.

        Args:
            make: makes the job, given what it is to ask whether to stop.
            then: called when it has come to its end, and has neither failed nor been stopped.
        """
        if self.job is not None:
            show_warning(f"{self.job.title} is still going on: stop it first, or wait for its end.")
            return
        job = make(lambda: job.cancelled)
        job.in_background = True
        job.on_result, job.on_done = self._on_told, self._on_done
        self.job, self.told, self._then = job, Progress(0, job.total, job.title), then
        self._shown = progress(desc=job.title, total=job.total)  # of 0 it is unknown, which napari shows as busy
        self._worker.submit(job)
        self.changed.emit()

    def cancel(self) -> None:
        """Stop at the next step; what has been written stays."""
        if self.job is not None:
            self.job.cancel()

    def _on_told(self, told: Progress) -> None:
        self.told = told
        self._shown.total = told.total  # napari's bar takes no None
        self._shown.n = told.done
        self._shown.refresh()
        self.changed.emit()

    def _on_done(self, error: str | None) -> None:
        job, told = self.job, self.told
        assert job is not None
        assert told is not None
        if error is not None:
            show_error(error)
            self.told = Progress(told.done, told.total, f"{job.title}: failed. {error}")
        elif job.cancelled:
            self.told = Progress(told.done, told.total, f"{job.title}: stopped. {told.words}")
        else:
            self._then()
        self.job = None
        self._shown.close()
        self._shown = None
        self.changed.emit()
