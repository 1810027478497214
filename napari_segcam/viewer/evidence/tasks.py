"""Tasks of the evidence: measured step by step in the worker, which turns to frames in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

from napari_segcam.viewer.evidence.measured_frame import MeasuredFrame
from napari_segcam.viewer.frames.schedule import Schedule
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.worker.worker import Job, Worker

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.evidence.measuring import Measure
    from napari_segcam.evidence.stage_evidence import StageEvidence


Found: TypeAlias = "dict[str, StageEvidence] | float"


class Kind(IntEnum):
    """Why something is measured, the most urgent first."""

    INFLUENCE = 0
    CHECK = 1
    REST = 2
    ESTIMATE = 3


@dataclass(frozen=True)
class Step:
    """What is measured at once: after it, the worker can turn to something else.

    Attributes:
        stages: by name.
        measures: to take of them.
        runs: about how many runs of the network it takes, at least 1.
    """

    stages: tuple[str, ...]
    measures: tuple[Measure, ...]
    runs: int = 1


@dataclass(eq=False)
class Task:
    """Measures of one frame.

    Attributes:
        kind: why.
        review: of the image.
        measured: the frame.
        steps: that are not done yet.
        is_cancelled: set to stop it within a batch of runs.
    """

    kind: Kind
    review: Review
    measured: MeasuredFrame
    steps: deque[Step]
    is_cancelled: bool = False
    _total: int = field(init=False)
    _share: float = 0.0  # of the present step; the worker sets it

    def __post_init__(self) -> None:
        self._total = sum(step.runs for step in self.steps)

    @property
    def progress(self) -> float:
        """How much is done, 0–1."""
        left = sum(step.runs for step in self.steps)
        present = self._share * self.steps[0].runs if self.steps else 0.0
        return (self._total - left + present) / max(self._total, 1)

    def measure(self, cancelled: Callable[[], bool]) -> Found:
        """Do the next step, in the worker; return evidence by stage name, or the seconds of an estimate.

        Raises:
            Cancelled: if ``cancelled`` returns True.
            SegcamError: if the network cannot be measured.
        """
        step = self.steps[0]
        self._share = 0.0
        if self.kind == Kind.INFLUENCE:
            return self.measured.influences(step.stages, cancelled, self._note_progress)
        if self.kind == Kind.ESTIMATE:
            return self.measured.estimate(step.stages, step.measures, cancelled)
        return self.measured.measure(step.stages, step.measures, cancelled, self._note_progress)

    def _note_progress(self, _measure: str, done: int, total: int) -> None:
        self._share = done / max(total, 1)


OnStep = Callable[[Task, Step, Found], None]
OnEnd = Callable[[Task, str], None]


class TaskQueue:
    """Gives the worker one step at a time. The frame in view and other jobs come first: a step is begun again then.

    Args:
        worker: that measures.
        on_step: called in the UI thread with what a step has found.
        on_end: called in the UI thread when a task has ended, with what failed, in words, or an empty text.
        on_free: called in the UI thread when the worker has ended a step.

    Attributes:
        tasks: that are not done, in no order.
    """

    def __init__(self, worker: Worker, on_step: OnStep, on_end: OnEnd, on_free: Callable[[], None]) -> None:
        self.tasks: list[Task] = []
        self._worker = worker
        self._on_step = on_step
        self._on_end = on_end
        self._on_free = on_free
        self._running: Task | None = None

    def put(self, task: Task) -> None:
        """Measure this as well."""
        self.tasks.append(task)

    def cancel(self, tasks: Iterable[Task]) -> None:
        """Stop these tasks; what they have found is kept."""
        for task in list(tasks):
            task.is_cancelled = True
            if task is not self._running:
                self._end(task, "")

    def next_step(self, schedule: Schedule) -> None:
        """Let the worker do the most urgent step, unless it is at one or the frame in view is missing.

        Args:
            schedule: of the image in view.
        """
        if self._running is not None or not self.tasks or schedule.is_current_frame_next():
            return
        task = self._running = min(self.tasks, key=lambda task: task.kind)
        worker = self._worker

        def is_stopped() -> bool:
            return task.is_cancelled or job.cancelled or schedule.is_current_frame_next() or worker.has_submitted

        def end(error: str | None) -> None:
            task.is_cancelled = task.is_cancelled or job.cancelled
            self._done(task, error)

        job = Job(
            "evidence",
            f"Evidence of frame {task.measured.frame}",
            lambda: _measure(task, is_stopped),
            on_result=lambda found: self._take(task, found),
            on_done=end,
        )
        job.stop = job.cancel
        worker.submit(job)

    def _take(self, task: Task, found: Found | None) -> None:
        if found is not None and not task.is_cancelled:
            self._on_step(task, task.steps.popleft(), found)

    def _done(self, task: Task, error: str | None) -> None:
        self._running = None
        if error is not None or task.is_cancelled or not task.steps:
            self._end(task, error or "")
        self._on_free()

    def _end(self, task: Task, error: str) -> None:
        if task in self.tasks:
            self.tasks.remove(task)
        self._on_end(task, error)


def _measure(task: Task, is_stopped: Callable[[], bool]) -> Iterator[Found | None]:
    from napari_segcam.explanation.slow_methods.control import Cancelled

    try:
        yield task.measure(is_stopped)
    except Cancelled:
        yield None
