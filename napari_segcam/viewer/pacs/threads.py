"""The threads that talk to a PACS, apart from the one that runs the network: a slow server delays nothing else."""

from __future__ import annotations

import atexit
import weakref

from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.worker.worker import Job, Worker


class Lane(QObject):
    """One job at a time that is of interest; a new one cancels the one before.

    The thread starts with the first job. ``changed`` comes when a job has begun or ended.

    Args:
        parent: with which the thread ends.
    """

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.job: Job | None = None
        self._jobs: set[Job] = set()
        self._workers: list[Worker] = []
        weakref.finalize(self, end_lane, self._jobs, self._workers)
        _lanes.add(self)

    @property
    def is_busy(self) -> bool:
        """Whether a job is running that was not cancelled."""
        return self.job is not None

    def start(self, job: Job) -> None:
        """Run a job in place of the one before, whose results are dropped."""
        self.cancel()
        on_result, on_done = job.on_result, job.on_done

        def take(result: object) -> None:
            if job is self.job:
                on_result(result)

        def end(error: str | None) -> None:
            self._jobs.discard(job)
            if job is self.job:
                self.job = None
                self.changed.emit()
            on_done(None if job.cancelled else error)

        job.on_result, job.on_done = take, end
        self.job = job
        self._jobs.add(job)
        if not self._workers:
            self._workers.append(Worker())
        self._workers[0].submit(job)
        self.changed.emit()

    def cancel(self) -> None:
        """Cancel the job that is running; its ``on_done`` is still called."""
        if self.job is not None:
            self.job.cancel()
            self.job = None
            self.changed.emit()

    def end(self) -> list[Worker]:
        """Cancel everything, and end the thread; return its worker, which may take a moment to notice."""
        self.job = None
        return end_lane(self._jobs, self._workers)


def end_lane(jobs: set[Job], workers: list[Worker]) -> list[Worker]:
    """Cancel the jobs, and end the threads once they have noticed."""
    for job in list(jobs):
        job.cancel()
    for worker in workers:
        worker.stop()
    ending = list(workers)
    workers.clear()
    return ending


_lanes: weakref.WeakSet[Lane] = weakref.WeakSet()


@atexit.register  # after the workers', and therefore called before it, which waits for their threads
def _end_all() -> None:
    for lane in list(_lanes):
        lane.end()


class PacsThreads(QObject):
    """A lane for each kind of work: searches, lists of images, small pictures, cines, objects to send, settings."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.search, self.listing, self.pictures, self.transfer, self.sending, self.settings = self._lanes = [
            Lane(self) for _ in range(6)
        ]

    def end(self) -> list[Worker]:
        """Cancel all work and end all threads; return the workers, which may take a moment to notice."""
        return [worker for lane in self._lanes for worker in lane.end()]
