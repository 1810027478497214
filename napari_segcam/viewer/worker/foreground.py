"""The foreground: the one job besides frames that the user waits for, such as loading a network."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from napari_segcam.viewer.mendable_errors import show_error
from napari_segcam.viewer.worker.worker import Job, Worker


class Foreground:
    """One job at a time; a new one cancels the one before.

    Args:
        worker: that runs the jobs.
        on_change: method that is called when a job has started or ended; it is held weakly.

    Attributes:
        job: that is running, or None.
        outcomes: how the last job of each kind ended, in words.
    """

    def __init__(self, worker: Worker, on_change: Callable[[], None]) -> None:
        self.job: Job | None = None
        self.outcomes: dict[str, str] = {}
        self._worker = worker
        self._on_change = weakref.WeakMethod(on_change)

    def start(self, job: Job) -> None:
        """Run a job; the results of a job that has been replaced or cancelled are dropped."""
        self.cancel()
        on_result, on_done = job.on_result, job.on_done
        job.on_result = lambda result: on_result(result) if job is self.job and not job.cancelled else None
        job.on_done = lambda error: self._end(job, on_done, error)
        self.job = job
        self._worker.submit(job)
        self._report()

    def cancel(self) -> None:
        """Cancel the job that is running."""
        if self.job is not None:
            self.job.cancel()

    def _end(self, job: Job, on_done: Callable[[str | None], None], error: str | None) -> None:
        if job is self.job:
            self.job = None
            self.outcomes[job.kind] = f"{job.title}: {'failed' if error else 'cancelled' if job.cancelled else 'done'}"
        on_done(error)
        if error is not None:
            show_error(error)
        self._report()

    def _report(self) -> None:
        on_change = self._on_change()
        if on_change is not None:
            on_change()
