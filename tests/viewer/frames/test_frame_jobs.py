from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.layers import Image

from napari_segcam.network.network import Network
from napari_segcam.viewer.frames import frame_jobs as computation_module
from napari_segcam.viewer.frames.frame_jobs import Computation, Given, Started
from napari_segcam.viewer.frames.frame_results import FrameResult
from napari_segcam.viewer.frames.plan import LayerSource, Plan, Request
from napari_segcam.viewer.frames.schedule import Schedule


class Ran:
    """A computation whose jobs are run by hand, and what came of them."""

    def __init__(self, network: Network, frames: np.ndarray) -> None:
        self.schedule = Schedule(len(frames))
        self.given: list[Given] = []
        plan = Plan(network, LayerSource.of(Image(frames)), Request(stages=("encoder_5",)), 0.5, 1, lambda _frame: None)
        self.computation = Computation(self.schedule, lambda plan, _frame: plan.stages, self.given.append, self._on_end)
        self.computation.plan = plan
        self.schedule.start("all", range(len(frames)))

    def run(self, meanwhile: Callable[[], None] = lambda: None) -> tuple[int, bool]:
        """Which frame was taken, and whether there is a result of it; ``meanwhile`` happens once it has begun."""
        self.given.clear()
        job = self.computation.next_job()
        assert job is not None
        meanwhile()
        job.run(lambda call: call())
        started = self.given[0]
        assert isinstance(started, Started)
        return started.frame, any(isinstance(given, FrameResult) for given in self.given)

    def _on_end(self, frame: int, error: str | None) -> None:
        assert error is None
        self.schedule.end(frame)
        if not any(isinstance(given, FrameResult) for given in self.given):
            self.schedule.want(frame)


@pytest.fixture
def ran(network: Network, frames: np.ndarray) -> Ran:
    return Ran(network, frames)


def test_a_frame_is_put_off_for_one_at_which_the_user_has_stopped(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computation_module, "_RESTING", 0.0)
    assert ran.run() == (0, True)
    assert ran.run(lambda: ran.schedule.look_at(3)) == (1, False)
    assert ran.run() == (3, True)
    assert sorted(ran.run()[0] for _ in range(2)) == [1, 2]  # and nothing is forgotten
    assert ran.computation.next_job() is None


def test_no_two_frames_in_a_row_are_put_off(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computation_module, "_RESTING", 0.0)
    assert ran.run(lambda: ran.schedule.look_at(3)) == (0, False)
    assert ran.run(lambda: ran.schedule.look_at(2)) == (3, True)
    assert ran.run(lambda: ran.schedule.look_at(1)) == (2, False)


def test_a_frame_is_not_put_off_while_the_user_scrubs(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computation_module, "_RESTING", 60.0)
    assert ran.run(lambda: ran.schedule.look_at(3)) == (0, True)


def test_a_frame_is_not_put_off_for_one_that_is_done(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computation_module, "_RESTING", 0.0)
    assert ran.run() == (0, True)
    ran.schedule.look_at(3)
    assert ran.run() == (3, True)
    assert ran.run(lambda: ran.schedule.look_at(0)) == (2, True)
