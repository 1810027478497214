"""The worker: one long-lived thread that owns the network and does all computing, decoding and writing."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_segcam.errors import SegcamError

_log = logging.getLogger(__name__)
_NICENESS = 10  # of 19: the window's thread comes first where both want a core


def _ignore(*_: Any) -> None:
    """Nothing to be told."""


@dataclass(eq=False)
class Job:
    """Work for the worker: an iterator that it exhausts, telling the UI thread of every result.

    Between two results the job can be cancelled.

    Attributes:
        kind: one word for what it does.
        title: for people, as in "Explaining 60 frames".
        work: makes the iterator, in the worker thread; it touches no widget and no layer.
        total: how many results to expect.
        in_background: whether it waits, between two results too, while there is anything else to do.
        on_result: called in the UI thread with each result.
        on_done: called in the UI thread at the end, however it came: with an error in the user's words, or None.
    """

    kind: str
    title: str
    work: Callable[[], Iterator[Any]]
    total: int = 1
    on_result: Callable[[Any], None] = _ignore
    on_done: Callable[[str | None], None] = _ignore
    in_background: bool = False
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False)

    def cancel(self) -> None:
        """Stop before the next result; what has been delivered stays."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def run(self, deliver: Callable[[Callable[[], None]], None]) -> None:
        """Do the work; ``deliver`` carries each call to the UI thread."""
        for _ in self.steps(deliver):
            pass

    def steps(self, deliver: Callable[[Callable[[], None]], None]) -> Generator[None, None, None]:
        """Do the work, with a pause after each result."""
        error = None
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
                    results.close()  # here and now: what it tidies up belongs to this thread
        except SegcamError as fault:
            error = str(fault)
        except Exception as fault:  # the thread must outlive any defect, and the user must hear of it
            _log.exception("%s failed", self.title)
            error = f"{self.title} failed unexpectedly ({type(fault).__name__}: {fault}). Details are in the log."
        deliver(lambda: self.on_done(error))


class Worker(QObject):
    """Runs jobs one after the other in a thread of its own; their callbacks run in the thread that made the worker.

    First come the jobs that are submitted, then what ``standing`` asks for, and jobs in the background last.

    Args:
        prepare: run in the worker's thread before the first job.

    Attributes:
        standing: asked for a job, in the worker's thread, whenever none has been submitted.
    """

    _delivered = Signal(object)

    def __init__(self, prepare: Callable[[], None] = _ignore) -> None:
        super().__init__()
        self.standing: Callable[[], Job | None] = lambda: None
        self._prepare = prepare
        self._jobs: deque[Job | None] = deque()
        self._background: deque[Generator[None, None, None]] = deque()
        self._news = threading.Condition()
        self._delivered.connect(self._call)
        self._thread = threading.Thread(target=self._work, name="segcam-worker", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; after ``stop`` it is dropped."""
        self._tell(job)

    def stop(self) -> None:
        """End the thread after the job, or the step of one in the background, that it is at."""
        self._tell(None)

    def wake(self) -> None:
        """Have ``standing`` asked again, since there may be something to do."""
        with self._news:
            self._news.notify()

    def _tell(self, job: Job | None) -> None:
        with self._news:
            self._jobs.append(job)
            self._news.notify()

    def _work(self) -> None:
        _give_way()
        self._prepare()
        while (step := self._next()) is not None:
            step()
        for steps in self._background:
            steps.close()

    def _next(self) -> Callable[[], None] | None:
        """What to do next, which is waited for; None at the end."""
        with self._news:
            while True:
                if self._jobs:
                    job = self._jobs.popleft()
                    if job is None or not job.in_background:
                        return None if job is None else partial(job.run, self._deliver)
                    self._background.append(job.steps(self._deliver))
                elif (job := self._ask()) is not None:
                    return partial(job.run, self._deliver)
                elif self._background:
                    return self._go_on
                else:
                    self._news.wait()

    def _go_on(self) -> None:
        """One step of the background."""
        try:
            next(self._background[0])
        except StopIteration:
            self._background.popleft()

    def _ask(self) -> Job | None:
        try:
            return self.standing()
        except Exception:  # the thread must outlive any defect
            _log.exception("there is no telling what to do next")
            return None

    def _deliver(self, call: Callable[[], None]) -> None:
        try:
            self._delivered.emit(call)
        except RuntimeError:  # the window was closed and Qt has deleted this object
            _log.debug("a result came after the window was closed")

    def _call(self, call: Callable[[], None]) -> None:
        call()


def _give_way() -> None:
    """Let the window's thread go before the calling one and those that it starts, such as torch's.

    Linux alone has a niceness for each thread; elsewhere it would be the whole process's.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
