"""Jobs of frames: what the worker gets when it asks a review for work."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.explainers import Explainers
from napari_segcam.viewer.frames.frame_computer import FrameComputer
from napari_segcam.viewer.frames.frame_results import FrameMasks, FrameResult, FrameStarted, FrameUpdate
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.schedule import Schedule
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with it: it is imported in the worker, where nobody waits for it
    from napari_segcam.explanation.explanation import Segmentation

_log = logging.getLogger(__name__)
_MASKS_PER_JOB = 8  # masks that one job makes at another threshold
_STAY_SECONDS = 0.1  # after which the user counts as having stopped at a frame


class FrameJobs:
    """Turns the schedule into jobs. ``next_job`` is for the worker's thread, all else for the UI thread.

    Args:
        schedule: says which frame is next.
        missing_stages: returns the stages of which a frame has no heatmap yet; called in any thread.
        on_update: called in the UI thread with every start, result and failure.
        on_end: called in the UI thread when a frame is finished, with an error in the user's words, or None.

    Attributes:
        plan: by which frames are computed; None for none.
        mask_threshold: of the masks that are shown.
        job: the frame that the worker computes, or computed last.
        progress_text: how far a slow frame is, in words.
        tiles_text: the tiles in which the last frame ran, in words; empty if it ran whole.
        explainers: that run the network for this image.
    """

    def __init__(
        self,
        schedule: Schedule,
        missing_stages: Callable[[Plan, int], tuple[str, ...]],
        on_update: Callable[[FrameUpdate], None],
        on_end: Callable[[int, str | None], None],
    ) -> None:
        self.plan: Plan | None = None
        self.mask_threshold = 0.5
        self.job: Job | None = None
        self.progress_text = ""
        self.tiles_text = ""
        self._expected = ""
        self._schedule = schedule
        self._missing_stages = missing_stages
        self._on_update = on_update
        self._on_end = on_end
        self._computer: FrameComputer | None = None
        self.explainers = Explainers()
        self._outdated_masks: deque[tuple[int, Segmentation]] = deque()
        self._was_postponed = False
        self._run_began: float | None = None  # until its first heat is there

    @property
    def how_text(self) -> str:
        """How the last frame ran, in words, if not whole and at once: in tiles, or with less memory."""
        tiles = f"in {self.tiles_text}" if self.tiles_text else ""
        memory = self._computer.memory_text if self._computer is not None else ""
        return "; ".join(words for words in (tiles, memory) if words)

    def update_masks(self, segmentations: Sequence[tuple[int, Segmentation]]) -> None:
        """Make the masks of these frames again, in this order; earlier requests that are not done are dropped."""
        self._outdated_masks = deque(segmentations)

    def cancel(self) -> None:
        """Cancel the frame that the worker computes."""
        if self.job is not None:
            self.job.cancel()

    def next_job(self) -> Job | None:
        """Return what to do now, the frame in view first; None if there is nothing to do."""
        plan, mask_threshold, outdated_masks = self.plan, self.mask_threshold, self._outdated_masks
        if plan is None:
            return None
        computer = self._computer
        if computer is None or computer.plan is not plan:
            computer = self._computer = FrameComputer(plan, self.explainers)
            self._run_began = time.perf_counter() if plan.stages else None
        if outdated_masks and not self._schedule.is_current_frame_next():
            batch = [outdated_masks.popleft() for _ in range(min(_MASKS_PER_JOB, len(outdated_masks)))]
            return Job("masks", "Masks", lambda: _masks(computer, batch, mask_threshold), on_result=self._on_update)
        frame = self._schedule.take_next()
        if frame is None:
            return None
        job = self.job = Job(
            "frame",
            f"Frame {frame}",
            lambda: self._compute(job, computer, frame, mask_threshold),
            on_result=self._on_update,
            on_done=lambda error: self._on_end(frame, error),
        )
        return job

    def deliver(self, update: FrameUpdate) -> None:
        """Take in what a job of ``asked_job`` has found; in the UI thread."""
        self._on_update(update)

    def asked_job(self, plan: Plan, frame: int, on_result: Callable[[FrameUpdate], None]) -> Job:
        """Return a job that explains a frame by another plan, and keeps the forward pass for the next one."""
        computer, mask_threshold = FrameComputer(plan, self.explainers), self.mask_threshold

        def work() -> Iterator[FrameUpdate]:
            computer.hold, computer.cancelled = True, lambda: job.cancelled
            computer.on_progress = self._on_progress
            stages = self._missing_stages(plan, frame)
            yield from computer.compute(frame, stages, mask_threshold)
            self.progress_text = ""

        job = Job("asked", f"Explaining a place in frame {frame}", work, on_result=on_result)
        return job

    def _compute(self, job: Job, computer: FrameComputer, frame: int, mask_threshold: float) -> Iterator[FrameUpdate]:
        yield FrameStarted(frame)
        stages = self._missing_stages(computer.plan, frame)
        can_postpone = not (self._was_postponed or computer.plan.is_slow)
        self._was_postponed = False
        computer.cancelled = lambda: job.cancelled or (can_postpone and self._is_postponed())
        computer.on_progress = self._on_progress
        self.progress_text = self._expected = ""
        self.tiles_text = ""
        with suppress(SegcamError):  # the computation reports it
            self.tiles_text = computer.tiles()
            if self.tiles_text or (computer.plan.is_slow and stages):
                self.progress_text = self._expected = computer.estimate(frame, stages)
        computer.hold = frame == self._schedule.current_frame and not computer.plan.is_slow
        for update in computer.compute(frame, stages, mask_threshold):
            yield update
            if isinstance(update, FrameResult) and self._run_began is not None:
                _log.info("The first heat of a run came after %.2f s", time.perf_counter() - self._run_began)
                self._run_began = None
        self.progress_text = ""

    def _is_postponed(self) -> bool:
        """Whether to leave a frame half done, since the user has stopped at another that is missing.

        Never two in a row, so that frames get done however often the user stops.
        """
        self._was_postponed = self._schedule.has_stayed(_STAY_SECONDS) and self._schedule.is_current_frame_next()
        return self._was_postponed

    def _on_progress(self, stage: str, done: int, total: int) -> None:
        if self.tiles_text and stage in ("mask", "heatmaps", "gradients"):
            self.progress_text = f"{self._expected or self.tiles_text}: {stage}, {done} of {total}"
        else:
            self.progress_text = f"{stage}: {done} of {total} runs"


def _masks(
    computer: FrameComputer, segmentations: Sequence[tuple[int, Segmentation]], mask_threshold: float
) -> Iterator[FrameMasks]:
    for frame, segmentation in segmentations:
        masks, finding = computer.masks_at(segmentation, mask_threshold)
        yield FrameMasks(computer.plan, frame, masks, finding, mask_threshold)
