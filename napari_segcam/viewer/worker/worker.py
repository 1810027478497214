"""The worker: one long-lived thread that owns the network and does all computing, decoding and writing."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakSet

from qtpy.QtCore import QObject, Signal

from napari_segcam.errors import SegcamError

_log = logging.getLogger(__name__)
_LAST_STEP_SECONDS = 60.0  # a step of a large network on a busy machine
_WORTH_LOGGING = 0.5  # seconds
_NICENESS = 10  # of 19: the window's thread comes first where both want a core


def _ignore(*_: Any) -> None:
    """Do nothing."""


@dataclass(eq=False)
class Job:
    """Work for the worker: an iterator that it exhausts; every result is sent to the UI thread.

    Between two results the job can be cancelled.

    Attributes:
        kind: one word for what it does.
        title: in the user's words, as in "Explaining 60 frames".
        work: returns the iterator, in the worker thread; it touches no widget and no layer.
        total: how many results to expect.
        in_background: whether it waits, between two results too, while there is anything else to do.
        is_elsewhere: whether something else shows how far it is.
        stop: stops it for the user; None where it must not be stopped, as when it keeps what the user has drawn.
        on_result: called in the UI thread with each result.
        on_done: called in the UI thread at the end in any case, with an error in the user's words, or None.
    """

    kind: str
    title: str
    work: Callable[[], Iterator[Any]]
    total: int = 1
    on_result: Callable[[Any], None] = _ignore
    on_done: Callable[[str | None], None] = _ignore
    in_background: bool = False
    is_elsewhere: bool = False
    stop: Callable[[], None] | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False)

    def cancel(self) -> None:
        """Stop before the next result; results that are delivered stay."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether the job is to stop."""
        return self._cancelled.is_set()

    def run(self, deliver: Callable[[Callable[[], None]], None]) -> None:
        """Do the work; ``deliver`` sends each call to the UI thread."""
        for _ in self.steps(deliver):
            pass

    def steps(self, deliver: Callable[[Callable[[], None]], None]) -> Generator[None, None, None]:
        """Do the work, and yield after each result."""
        error, start = None, time.perf_counter()
        try:
            results = self.work() if not self.cancelled else iter(())
            try:
                for result in results:
                    if self.cancelled:
                        break
                    deliver(lambda result=result: self.on_result(result))  # type: ignore[misc]
                    yield
            finally:
                if isinstance(results, Generator):
                    results.close()  # now, since its cleanup belongs to this thread
        except SegcamError as fault:
            _log.info("A job of kind %s was refused", self.kind, exc_info=True)
            error = str(fault)
        except Exception as fault:  # the thread must survive any defect, and the user must know of it
            _log.exception("A job of kind %s failed: %s", self.kind, self.title)
            error = f"{self.title} failed unexpectedly ({type(fault).__name__}: {fault}). Details are in the log."
        seconds = time.perf_counter() - start
        level = logging.INFO if seconds >= _WORTH_LOGGING else logging.DEBUG
        _log.log(level, "A job of kind %s took %.2f s", self.kind, seconds)
        deliver(lambda: self.on_done(error))


class Worker(QObject):
    """Runs jobs one after the other in its thread; their callbacks run in the thread that created the worker.

    Submitted jobs come first, then those of ``find_job``, and jobs in the background last.

    Args:
        prepare: called in the worker's thread before the first job.

    Attributes:
        find_job: called in the worker's thread when no submitted job is left; returns a job, or None.
        is_ready: whether ``prepare`` is done.
        present_job: that is running, except those in the background; None if there is none.
    """

    submitted = Signal()
    _delivered = Signal(object)

    def __init__(self, prepare: Callable[[], None] = _ignore) -> None:
        super().__init__()
        self.find_job: Callable[[], Job | None] = lambda: None
        self.is_ready = False
        self.present_job: Job | None = None
        self._prepare = prepare
        self._jobs: deque[Job | None] = deque()
        self._background: deque[tuple[Job, Generator[None, None, None]]] = deque()
        self._wake_up = threading.Condition()
        self._delivered.connect(self._call)
        self._thread = threading.Thread(target=self._run, name="segcam-worker", daemon=True)
        self._thread.start()
        _workers.add(self)

    def submit(self, job: Job) -> None:
        """Queue a job; after ``stop`` it is dropped."""
        self._put(job)
        with suppress(RuntimeError):  # the window was closed and Qt has deleted this object
            self.submitted.emit()

    def stop(self) -> None:
        """End the thread after its current job, or its current step of a job in the background."""
        self._put(None)

    def end(self, seconds: float) -> None:
        """End the thread after its current job or step, without those that wait, and wait for that so long."""
        with self._wake_up:
            self._jobs.clear()
        self.stop()
        self._thread.join(seconds)

    @property
    def has_submitted(self) -> bool:
        """Whether a submitted job waits for the present one; for any thread."""
        with self._wake_up:
            return any(job is None or not job.in_background for job in self._jobs)

    @property
    def background_job(self) -> Job | None:
        """The job in the background whose turn it is; None if there is none; for any thread."""
        with self._wake_up:
            return self._background[0][0] if self._background else None

    def wake(self) -> None:
        """Call ``find_job`` again, since there may be something to do."""
        with self._wake_up:
            self._wake_up.notify()

    def _put(self, job: Job | None) -> None:
        with self._wake_up:
            self._jobs.append(job)
            self._wake_up.notify()

    def _run(self) -> None:
        _lower_priority()
        start = time.perf_counter()
        self._prepare()
        self.is_ready = True
        _log.info("A worker is ready after %.2f s", time.perf_counter() - start)
        while (step := self._next()) is not None:
            step()
        for _, steps in self._background:
            steps.close()

    def _next(self) -> Callable[[], None] | None:
        """Wait for work and return it as a call; None at the end."""
        with self._wake_up:
            while True:
                if self._jobs:
                    job = self._jobs.popleft()
                    if job is None or not job.in_background:
                        return None if job is None else partial(self._run_job, job)
                    self._background.append((job, job.steps(self._deliver)))
                elif (job := self._find_job()) is not None:
                    return partial(self._run_job, job)
                elif self._background:
                    return self._continue_background
                else:
                    self._wake_up.wait()

    def _run_job(self, job: Job) -> None:
        self.present_job = job
        try:
            job.run(self._deliver)
        finally:
            self.present_job = None

    def _continue_background(self) -> None:
        """Do one step of the job in the background."""
        try:
            next(self._background[0][1])
        except StopIteration:
            self._background.popleft()

    def _find_job(self) -> Job | None:
        try:
            return self.find_job()
        except Exception:  # the thread must survive any defect
            _log.exception("The search for the next job failed")
            return None

    def _deliver(self, call: Callable[[], None]) -> None:
        try:
            self._delivered.emit(call)
        except RuntimeError:  # the window was closed and Qt has deleted this object
            _log.debug("A result came after the window was closed")

    def _call(self, call: Callable[[], None]) -> None:
        call()


_workers: WeakSet[Worker] = WeakSet()


@atexit.register
def _end_all() -> None:
    """Wait until no thread is in torch: Python would end it there, which aborts the process."""
    deadline = time.monotonic() + _LAST_STEP_SECONDS
    for worker in list(_workers):
        worker.end(max(0.0, deadline - time.monotonic()))


def _lower_priority() -> None:
    """Give the window's thread priority over the calling thread and those that it starts, such as torch's.

    Only Linux has a niceness for each thread; elsewhere this would slow the whole process.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
