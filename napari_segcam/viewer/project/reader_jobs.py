"""The reader: a thread that opens projects and decodes images, beside the worker that runs the network."""

from __future__ import annotations

import weakref

from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.mendable_errors import show_warning
from napari_segcam.viewer.worker.activity_bar import Activity, ActivityBar
from napari_segcam.viewer.worker.worker import Job, Worker


class ReaderJobs(QObject):
    """One job at a time that the user waits for; a new one cancels the one before.

    Attributes:
        words: what is being read, in words; empty if nothing is.
    """

    said = Signal(str)  # from any thread: how far the job is
    changed = Signal()
    failed = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.words = ""
        self.said.connect(self._say)
        self._job: Job | None = None
        self._worker = Worker()
        weakref.finalize(self, self._worker.stop)
        self.changed.connect(ActivityBar(self, self._activity).follow)

    @property
    def is_busy(self) -> bool:
        """Whether the user waits for something."""
        return self._job is not None

    def start(self, words: str, job: Job, worker: Worker | None = None) -> None:
        """Run a job in place of the one that the user waits for.

        Args:
            words: what it does.
            job: as above.
            worker: that runs it, if it needs the network; by default the reader.
        """
        self.cancel()
        on_result, on_done = job.on_result, job.on_done

        def take(result: object) -> None:
            if job is self._job:
                on_result(result)

        def end(error: str | None) -> None:
            on_done(error)
            if job is self._job:
                self._show(None, "")
                if error is not None:
                    show_warning(error)
                    self.failed.emit(error)

        job.on_result, job.on_done, job.is_elsewhere = take, end, True
        self._show(job, words)
        (worker or self._worker).submit(job)

    def submit(self, job: Job) -> None:
        """Run a job that nobody waits for, after those that were submitted before."""
        self._worker.submit(job)

    def _activity(self) -> Activity | None:
        return None if self._job is None else Activity(self.words, self.cancel)

    def _say(self, words: str) -> None:
        if self._job is not None:
            self._show(self._job, words)

    def cancel(self) -> None:
        """Stop what the user waits for."""
        if self._job is not None:
            self._job.cancel()
            self._show(None, "")

    def _show(self, job: Job | None, words: str) -> None:
        self._job, self.words = job, words
        self.changed.emit()
