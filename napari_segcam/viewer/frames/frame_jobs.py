"""The computation of a review: what the worker gets when it asks for work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.frame_computer import FrameComputer
from napari_segcam.viewer.frames.frame_results import FrameFailure, FrameResult
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.schedule import Schedule
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.evidence.finding import Finding
    from napari_segcam.explanation.explanation import Segmentation

_CUTS = 8  # masks that are cut again in one go
_RESTING = 0.1  # seconds in view, after which the user is taken to have stopped at a frame


@dataclass(frozen=True)
class Started:
    """This frame is being computed now."""

    frame: int


@dataclass(frozen=True, eq=False)
class FrameCut:
    """The masks of a frame at another threshold, and the figures of the plan's class in them."""

    plan: Plan
    frame: int
    masks: tuple[SparseMask, ...]
    finding: Finding
    cut: float


Given = Started | FrameResult | FrameFailure | FrameCut


class Computation:
    """Turns the schedule into jobs. ``next_job`` is for the worker's thread, all else for the UI thread.

    Args:
        schedule: says which frame is next.
        missing: names the stages of which a frame has no heatmap yet, for any thread.
        on_given: called in the UI thread with whatever comes out.
        on_end: called in the UI thread when a frame is through, with an error in the user's words, or None.

    Attributes:
        plan: by which frames are computed; None for none.
        cut: the threshold of the masks.
        job: the frame that the worker is at, or was last at.
        told: how far a frame has got that takes long, in words.
    """

    def __init__(
        self,
        schedule: Schedule,
        missing: Callable[[Plan, int], tuple[str, ...]],
        on_given: Callable[[Given], None],
        on_end: Callable[[int, str | None], None],
    ) -> None:
        self.plan: Plan | None = None
        self.cut = 0.5
        self.job: Job | None = None
        self.told = ""
        self._schedule = schedule
        self._missing = missing
        self._on_given = on_given
        self._on_end = on_end
        self._computer: FrameComputer | None = None
        self._to_cut: deque[tuple[int, Segmentation]] = deque()
        self._has_put_off = False

    def cut_again(self, segmentations: Sequence[tuple[int, Segmentation]]) -> None:
        """Have these masks cut at the threshold, in this order; what was asked before and not yet done is dropped."""
        self._to_cut = deque(segmentations)

    def cancel(self) -> None:
        """Give up the frame that the worker is at."""
        if self.job is not None:
            self.job.cancel()

    def next_job(self) -> Job | None:
        """What to do now: what is in view before all else; None if there is nothing to do."""
        plan, cut, to_cut = self.plan, self.cut, self._to_cut
        if plan is None:
            return None
        computer = self._computer
        if computer is None or computer.plan is not plan:
            computer = self._computer = FrameComputer(plan)
        if to_cut and not self._schedule.is_view_missing():
            pairs = [to_cut.popleft() for _ in range(min(_CUTS, len(to_cut)))]
            return Job("cuts", "Masks", lambda: _cuts(computer, pairs, cut), on_result=self._on_given)
        frame = self._schedule.take()
        if frame is None:
            return None
        job = self.job = Job(
            "frame",
            f"Frame {frame}",
            lambda: self._frame(job, computer, frame, cut),
            on_result=self._on_given,
            on_done=lambda error: self._on_end(frame, error),
        )
        return job

    def _frame(self, job: Job, computer: FrameComputer, frame: int, cut: float) -> Iterator[Given]:
        yield Started(frame)
        stages = self._missing(computer.plan, frame)
        may_put_off = not (self._has_put_off or computer.plan.is_slow)
        self._has_put_off = False
        computer.cancelled = lambda: job.cancelled or (may_put_off and self._puts_off())
        computer.progress = self._on_progress
        self.told = ""
        if computer.plan.is_slow and stages:
            with suppress(SegcamError):  # which computing it will tell
                self.told = computer.estimate(frame, stages)
        yield from computer.compute(frame, stages, cut)
        self.told = ""

    def _puts_off(self) -> bool:
        """Whether to leave a frame half done, since the user has stopped at another that is missing.

        Never two in a row, so that something comes of it however often they stop.
        """
        self._has_put_off = self._schedule.is_resting(_RESTING) and self._schedule.is_view_missing()
        return self._has_put_off

    def _on_progress(self, stage: str, done: int, total: int) -> None:
        self.told = f"{stage}: {done} of {total} runs"


def _cuts(computer: FrameComputer, pairs: Sequence[tuple[int, Segmentation]], cut: float) -> Iterator[FrameCut]:
    for frame, segmentation in pairs:
        masks, finding = computer.recut(segmentation, cut)
        yield FrameCut(computer.plan, frame, masks, finding, cut)
