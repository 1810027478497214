"""The frames of one image as B sees them: what is computed next, and the results."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from napari_segcam.viewer.frames.explainers import Explainers
from napari_segcam.viewer.frames.frame_computer import FrameComputer
from napari_segcam.viewer.frames.frame_results import FrameFailure, FrameMasks, FrameResult
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.review_results import ReviewResults
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.viewer.frames.result_store import ResultStore

_STAY_SECONDS = 0.1  # after which the user counts as having stopped at a frame


class SecondReview:
    """Follows the review of A frame by frame. ``next_job`` is for the worker's thread, all else for the UI thread.

    Args:
        review: of A.
        store: of the results of all images.
        on_change: called when a result has arrived or B has failed in a frame.

    Attributes:
        review: of A.
        results: of B.
        threshold: of B's masks.
        failures: why B has no result, by frame.
    """

    def __init__(self, review: Review, store: ResultStore, threshold: float, on_change: Callable[[], None]) -> None:
        self.review = review
        self.results = ReviewResults(store)
        self.threshold = threshold
        self.failures: dict[int, str] = {}
        self._store = store
        self._on_change = on_change
        self._explainers = Explainers()
        self._lock = threading.Lock()
        self._pending: list[int] = []  # the frame that is needed most comes last
        self._outdated: list[int] = []
        self._taken: set[int] = set()
        self._job: Job | None = None
        self._is_turn_of_b = True
        self._was_postponed = False

    @property
    def plan(self) -> Plan | None:
        """By which B computes; None for none."""
        return self.results.plan

    def follow(self, plan: Plan | None) -> None:
        """Compute by this plan the frames that A has; None computes nothing, and keeps what is there.

        The frame in view comes first. After a run of A was stopped, it is the only one.
        """
        earlier = self.plan
        if plan is not None and plan is not earlier:
            if earlier is not None and earlier.mask_key != plan.mask_key:
                self._drop(earlier)
            if earlier is None or earlier.heat_key != plan.heat_key or earlier.stages != plan.stages:
                self.failures.clear()
            self.results.plan = self.review.results.beside = plan
        pending, outdated = ([], []) if plan is None else self._missing(plan)
        with self._lock:
            self._pending = [frame for frame in pending if frame not in self._taken]
            self._outdated = outdated

    def end(self) -> None:
        """Stop, and drop all results."""
        if self._job is not None:
            self._job.cancel()
        with self._lock:
            self._pending, self._outdated = [], []
        self._explainers.release()
        if self.plan is not None:
            self._drop(self.plan)
        self.results.plan = self.review.results.beside = None

    def is_pending(self, frame: int) -> bool:
        """Whether B's result of a frame is being computed, or will be."""
        with self._lock:
            return frame in self._taken or frame in self._pending

    def next_job(self, job_of_a: Callable[[], Job | None]) -> Job | None:
        """Return what to do now: the frame in view by A, then by B, then others by A and B in turn.

        Args:
            job_of_a: returns the next job of A, or None.
        """
        schedule = self.review.schedule
        if schedule.is_current_frame_next():
            self._is_turn_of_b = True
            return job_of_a()
        if (job := self._masks_job()) is not None:
            return job
        frame = self._take(schedule.current_frame)
        if frame is None and self._is_turn_of_b:
            frame = self._take(None)
        if frame is None:
            self._is_turn_of_b = True
            if (job := job_of_a()) is not None:
                return job
            frame = self._take(None)
        if frame is None:
            return None
        self._is_turn_of_b = False
        return self._frame_job(frame)

    # What is missing

    def _missing(self, plan: Plan) -> tuple[list[int], list[int]]:
        """Return the frames of A that B lacks, and those whose masks are of another threshold."""
        review, results = self.review, self.results
        schedule = review.schedule
        if plan.stages:
            results.drop_outdated_heatmaps(schedule.current_frame)  # the user may have painted in their region
        frames = review.results.frames()
        if schedule.scope is None:
            frames = [frame for frame in frames if frame == schedule.current_frame]
        distances = schedule.distances()
        frames = [frame for frame in frames if frame not in self.failures and not results.is_complete(frame)]
        outdated = results.outdated_masks(self.threshold)
        return (
            sorted(frames, key=lambda frame: -distances[frame]),
            sorted(outdated, key=lambda frame: -distances[frame]),
        )

    def _take(self, frame: int | None) -> int | None:
        """Take a frame from those that are missing: this one, or with None the one that is needed most."""
        with self._lock:
            if not self._pending or (frame is not None and frame not in self._pending):
                return None
            taken = self._pending.pop() if frame is None else frame
            if frame is not None:
                self._pending.remove(frame)
            self._taken.add(taken)
            return taken

    # Jobs

    def _frame_job(self, frame: int) -> Job | None:
        plan, threshold = self.plan, self.threshold
        if plan is None:
            with self._lock:
                self._taken.discard(frame)
            return None
        computer = FrameComputer(plan, self._explainers)

        def work() -> Iterator[FrameResult | FrameFailure]:
            can_postpone, self._was_postponed = not self._was_postponed, False
            computer.cancelled = lambda: job.cancelled or (can_postpone and self._is_postponed())
            yield from computer.compute(frame, self.results.missing_stages(plan, frame), threshold)

        job = self._job = Job(
            "second",
            f"B in frame {frame}",
            work,
            on_result=self._on_update,
            on_done=lambda error: self._on_end(frame, error),
        )
        return job

    def _masks_job(self) -> Job | None:
        """Return a job that makes a mask again at the present threshold; None if there is nothing to do."""
        with self._lock:
            frame = self._outdated.pop() if self._outdated else None
        plan, threshold = self.plan, self.threshold
        stored = None if frame is None or plan is None else self.results.segmentation(frame)
        if frame is None or plan is None or stored is None:
            return None
        computer = FrameComputer(plan, self._explainers)

        def work() -> Iterator[FrameMasks]:
            masks, finding = computer.masks_at(stored.segmentation, threshold)
            yield FrameMasks(plan, frame, masks, finding, threshold)

        return Job("second masks", "Masks of B", work, on_result=self._on_update)

    def _is_postponed(self) -> bool:
        """Whether to leave a frame half done, since the user has stopped at another; never two in a row."""
        schedule = self.review.schedule
        self._was_postponed = schedule.has_stayed(_STAY_SECONDS) and schedule.is_current_frame_next()
        return self._was_postponed

    def _on_update(self, update: FrameResult | FrameFailure | FrameMasks) -> None:
        if self.plan is None:
            return
        if isinstance(update, FrameFailure):
            self.failures[update.frame] = update.message
        elif isinstance(update, FrameMasks):
            self.results.put_masks(update)
        elif self.results.put(update):
            self.review.apply_budget()
        self._on_change()

    def _on_end(self, frame: int, error: str | None) -> None:
        with self._lock:
            self._taken.discard(frame)
        if error is not None:
            self.failures[frame] = error
        self._on_change()

    def _drop(self, plan: Plan) -> None:
        """Drop all results of B by a plan, with heatmaps by any method."""
        for key in self._store:
            if key == plan.mask_key or (isinstance(key, tuple) and key[0] == plan.mask_key):
                self._store.drop_all(key)
