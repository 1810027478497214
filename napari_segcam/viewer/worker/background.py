"""The background: exports and runs over folders, which continue while there is nothing else to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.mendable_errors import show_error, show_warning
from napari_segcam.viewer.worker.activity_bar import Activity, ActivityBar
from napari_segcam.viewer.worker.worker import Job, Worker


@dataclass(frozen=True)
class Progress:
    """How far a job in the background is; the last one says how it ended.

    Attributes:
        done: steps that are done.
        total: all steps; 0 where that is not known yet.
        words: what the job is doing, or its result.
    """

    done: int
    total: int
    words: str


class Background(QObject):
    """One job at a time, whose results are ``Progress``; napari's activity dock shows it too.

    Attributes:
        job: that is running, or None.
        progress: of this job, or of the one before.
    """

    changed = Signal()

    def __init__(self, worker: Worker, parent: QObject) -> None:
        super().__init__(parent)
        self.job: Job | None = None
        self.progress: Progress | None = None
        self._worker = worker
        self._then: Callable[[], None] = lambda: None
        self.changed.connect(ActivityBar(self, self._activity).follow)

    def start(self, create_job: Callable[[Callable[[], bool]], Job], then: Callable[[], None] = lambda: None) -> None:
        """Start a job; while another is running, show a warning instead.

        Args:
            create_job: returns the job; it is called with a function that returns whether to stop.
            then: called when the job has ended without failure and was not stopped.
        """
        if self.job is not None:
            show_warning(f"{self.job.title} is still running: stop it first, or wait for its end.")
            return
        job = create_job(lambda: job.cancelled)
        job.in_background = job.is_elsewhere = True
        job.on_result, job.on_done = self._on_progress, self._on_done
        self.job, self.progress, self._then = job, Progress(0, job.total, job.title), then
        self._worker.submit(job)
        self.changed.emit()

    def cancel(self) -> None:
        """Stop at the next step; files that are written stay."""
        if self.job is not None:
            self.job.cancel()

    def _activity(self) -> Activity | None:
        job, progress = self.job, self.progress
        if job is None or progress is None:
            return None
        return Activity(job.title, self.cancel, progress.done, progress.total)

    def _on_progress(self, progress: Progress) -> None:
        self.progress = progress
        self.changed.emit()

    def _on_done(self, error: str | None) -> None:
        job, progress = self.job, self.progress
        assert job is not None
        assert progress is not None
        if error is not None:
            show_error(error)
            self.progress = Progress(progress.done, progress.total, f"{job.title}: failed. {error}")
        elif job.cancelled:
            self.progress = Progress(progress.done, progress.total, f"{job.title}: stopped. {progress.words}")
        else:
            self._then()
        self.job = None
        self.changed.emit()
