"""The jobs of frames: when a frame is postponed for the one in view."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.layers import Image

from napari_segcam.network.network import Network
from napari_segcam.viewer.frames import frame_jobs
from napari_segcam.viewer.frames.frame_jobs import FrameJobs
from napari_segcam.viewer.frames.frame_results import FrameResult, FrameStarted, FrameUpdate
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.frames.schedule import Schedule


class ManualRun:
    """Runs the jobs of a cine one by one, by hand, and keeps their updates."""

    def __init__(self, network: Network, frames: np.ndarray) -> None:
        self.schedule = Schedule(len(frames))
        self.updates: list[FrameUpdate] = []
        request = RunRequest(stages=("encoder_5",))
        plan = Plan(network, LayerSource.from_layer(Image(frames)), request, 0.5, lambda _frame: None)
        self.jobs = FrameJobs(self.schedule, lambda plan, _frame: plan.stages, self.updates.append, self._on_end)
        self.jobs.plan = plan
        self.schedule.start("all", range(len(frames)))

    def run(self, meanwhile: Callable[[], None] = lambda: None) -> tuple[int, bool]:
        """Run one job; return its frame and whether there is a result. ``meanwhile`` is called once it has started."""
        self.updates.clear()
        job = self.jobs.next_job()
        assert job is not None
        meanwhile()
        job.run(lambda call: call())
        started = self.updates[0]
        assert isinstance(started, FrameStarted)
        return started.frame, any(isinstance(update, FrameResult) for update in self.updates)

    def _on_end(self, frame: int, error: str | None) -> None:
        assert error is None
        self.schedule.finish(frame)
        if not any(isinstance(update, FrameResult) for update in self.updates):
            self.schedule.mark_missing(frame)


@pytest.fixture
def manual(network: Network, frames: np.ndarray) -> ManualRun:
    return ManualRun(network, frames)


def test_a_frame_is_postponed_for_one_at_which_the_user_has_stopped(
    manual: ManualRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_jobs, "_STAY_SECONDS", 0.0)
    assert manual.run() == (0, True)
    assert manual.run(lambda: manual.schedule.set_current_frame(3)) == (1, False)
    assert manual.run() == (3, True)
    assert sorted(manual.run()[0] for _ in range(2)) == [1, 2]  # and no frame is forgotten
    assert manual.jobs.next_job() is None


def test_no_two_frames_in_a_row_are_postponed(manual: ManualRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_jobs, "_STAY_SECONDS", 0.0)
    assert manual.run(lambda: manual.schedule.set_current_frame(3)) == (0, False)
    assert manual.run(lambda: manual.schedule.set_current_frame(2)) == (3, True)
    assert manual.run(lambda: manual.schedule.set_current_frame(1)) == (2, False)


def test_a_frame_is_not_postponed_while_the_user_scrubs(manual: ManualRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_jobs, "_STAY_SECONDS", 60.0)
    assert manual.run(lambda: manual.schedule.set_current_frame(3)) == (0, True)


def test_a_frame_is_not_postponed_for_one_that_is_done(manual: ManualRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_jobs, "_STAY_SECONDS", 0.0)
    assert manual.run() == (0, True)
    manual.schedule.set_current_frame(3)
    assert manual.run() == (3, True)
    assert manual.run(lambda: manual.schedule.set_current_frame(0)) == (2, True)
