"""The next case, read and computed ahead while this one is in view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_segcam.review.readings import Reading
from napari_segcam.viewer.frames.frame_computer import FrameComputer
from napari_segcam.viewer.frames.frame_results import FrameFailure, FrameResult
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.review_results import ReviewResults
from napari_segcam.viewer.project.case_opening import HELD_FRAMES, OpenedCase, case_job
from napari_segcam.viewer.project.network_runs import NetworkRuns
from napari_segcam.viewer.project.open_project import OpenProject
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class Prefetch(QObject):
    """Holds one case that comes next: its image, and the results of its first frames.

    The image is read by the project's reader. The frames are computed in the background of the worker, which waits
    while there is anything to do for the case in view. The results are in the session's store, whose memory limit holds
    for all cases; they are the first to go when it is full.
    """

    def __init__(self, session: ReviewSession, project: OpenProject, runs: NetworkRuns) -> None:
        super().__init__(project)
        self._session = session
        self._open = project
        self._runs = runs
        self._wanted: Reading | None = None
        self._opened: OpenedCase | None = None
        self._results: ReviewResults | None = None
        self._jobs: list[Job] = []
        session.network_changed.connect(self._on_network)

    @property
    def ready(self) -> Reading | None:
        """The reading that can be shown at once; None if there is none."""
        return None if self._opened is None else self._opened.reading

    @property
    def computed(self) -> list[int]:
        """The frames of it that are computed."""
        return [] if self._results is None else self._results.frames()

    def plan(self, readings: Sequence[Reading]) -> None:
        """Prepare the first of these readings that can be opened, and drop what was prepared of others."""
        reading, others = (readings[0], readings[1:]) if readings else (None, [])
        if reading is not None and reading == self._wanted:
            return
        self.drop()
        project, log = self._open.project, self._open.log
        if reading is None or project is None or log is None:
            return
        self._wanted = reading
        # Why a case cannot be opened is said once the rater goes there.
        job = case_job(project, log, reading, self._take_case, lambda failed, _why: self._skip(failed, others))
        self._jobs.append(job)
        self._open.reader.submit(job)

    def _skip(self, failed: Reading, others: Sequence[Reading]) -> None:
        if failed == self._wanted:
            self.plan(others)

    def take(self, reading: Reading) -> OpenedCase | None:
        """Return what is prepared of a reading, which is shown now; None if it is not this one."""
        opened = self._opened
        state = self._open.state_of(reading)
        if opened is None or opened.reading != reading or opened.kept != tuple(state.corrections.values()):
            self.drop()
            return None
        self._cancel()
        self._wanted = self._opened = self._results = None
        return opened

    def drop(self) -> None:
        """Forget what is prepared."""
        self._cancel()
        if self._results is not None:
            self._results.clear()
        self._wanted = self._opened = self._results = None

    def _cancel(self) -> None:
        for job in self._jobs:
            job.cancel()
        self._jobs.clear()

    def _take_case(self, opened: OpenedCase) -> None:
        if opened.reading == self._wanted:
            self._opened = opened
            self._compute()

    def _on_network(self) -> None:
        """Compute the prepared frames by another network."""
        if self._results is not None:
            self._results.clear()
        if self._opened is not None:
            self._cancel()
            self._compute()

    def _compute(self) -> None:
        opened = self._opened
        assert opened is not None
        image = opened.image()
        if image.ndim > 3:
            return
        opened.source = opened.source or LayerSource.from_layer(image)
        plan = self._runs.plan_for(opened.source)
        if plan is None:
            return
        self._results = ReviewResults(self._session.reviews.store)
        self._results.plan = plan
        count = 1 if image.ndim == 2 else image.data.shape[0]
        frames = range(opened.frame, min(opened.frame + HELD_FRAMES, count))
        threshold = self._session.threshold
        job = Job(
            "prefetch",
            f"Preparing {image.name}",
            lambda: _compute(plan, frames, threshold),
            on_result=self._take_result,
            in_background=True,
        )
        self._jobs.append(job)
        self._session.submit(job)

    def _take_result(self, result: FrameResult | FrameFailure) -> None:
        if isinstance(result, FrameResult) and self._results is not None and self._results.plan is result.plan:
            self._results.put(result)


def _compute(plan: Plan, frames: range, threshold: float) -> Iterator[FrameResult | FrameFailure]:
    computer = FrameComputer(plan)
    for frame in frames:
        yield from computer.compute(frame, plan.stages, threshold)
