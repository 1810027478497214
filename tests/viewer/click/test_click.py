"""Click to explain: the place that is asked about, its answer in the layers, and the way back to the mask."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from pytestqt.qtbot import QtBot

from napari_segcam.errors import SegcamError
from napari_segcam.explanation import explainer as explainer_module
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.runner import Runner
from napari_segcam.explanation.targets.region import At, Box, Polygon
from napari_segcam.explanation.targets.region_words import parse_region
from napari_segcam.explanation.targets.target import Target
from napari_segcam.network.network import Network
from napari_segcam.viewer.click import click_controller
from napari_segcam.viewer.click.click_controller import ClickController
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.frames import frame_jobs
from napari_segcam.viewer.frames.cine_record import FrameState
from napari_segcam.viewer.frames.explainers import Explainers
from napari_segcam.viewer.frames.run_request import CORRECTED, RunRequest
from napari_segcam.viewer.jobs.export_job import Export
from napari_segcam.viewer.jobs.folder_job import options_from_plan
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.outputs import export_frames
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.review.session import ReviewSession

Finish = Callable[[ReviewSession], None]
STAGE = "encoder_5"


class Asking:
    """A session in which places are asked about."""

    def __init__(self, session: ReviewSession, qtbot: QtBot) -> None:
        self.session, self._qtbot = session, qtbot
        self.controller = controller_of(session, ClickController)

    @property
    def review(self) -> Review:
        review = self.session.review
        assert review is not None
        return review

    @property
    def words(self) -> str:
        return self.session.view.of_frame.replace("\n", " ")

    def heat(self) -> np.ndarray:
        """Return the heat that the layer shows of the frame in view."""
        return np.asarray(self.review.layers.heatmaps[STAGE].data[self.session.current_frame()])

    def position(self, row: int, column: int) -> tuple[float, ...]:
        return tuple(self.review.image.data_to_world((self.session.current_frame(), row, column)))

    def wait(self) -> None:
        self._qtbot.waitUntil(lambda: self.controller._job is None, timeout=60_000)
        self._qtbot.waitUntil(lambda: not self.session.is_busy, timeout=60_000)
        self._qtbot.wait(20)

    def at(self, row: int, column: int) -> None:
        self.controller.ask_at(self.position(row, column))
        self.wait()


@pytest.fixture
def asking(reviewed: ReviewSession, qtbot: QtBot) -> Asking:
    return Asking(reviewed, qtbot)


def expected(network: Network, frame: np.ndarray, region: Any, class_index: int | None = None) -> np.ndarray:
    explanation = Explainer(network, stages=[STAGE])(frame, Target(class_index, region))
    return explanation.heatmaps[STAGE].values


def place_with(mask: np.ndarray, *, found: bool) -> tuple[int, int]:
    """Return a pixel in the mask, or far from it."""
    places = np.argwhere(mask == found)
    row, column = places[len(places) // 2]
    return int(row), int(column)


def mask_of(asking: Asking) -> np.ndarray:
    mask = asking.review.layers.mask
    assert mask is not None
    return np.asarray(mask.data[asking.session.current_frame()]) > 0


@pytest.mark.parametrize("found", [True, False])
def test_a_click_explains_the_component_there_or_why_there_is_none(
    asking: Asking, network: Network, frames: np.ndarray, found: bool
) -> None:
    row, column = place_with(mask_of(asking), found=found)
    of_mask = asking.heat().copy()
    asking.at(row, column)
    region = At(row, column)
    np.testing.assert_array_equal(asking.heat(), expected(network, frames[1], region))
    assert not np.array_equal(asking.heat(), of_mask)
    pixels = np.count_nonzero(region.pixels(mask_of(asking)))
    if found:
        assert f"heat explains the component of {pixels:,} pixels at row {row}, column {column}" in asking.words
    else:
        words = f"heat explains the score within 6 pixels of row {row}, column {column}, where nothing was found"
        assert words in asking.words
    outlined = asking.session.view.to_outline
    assert outlined is not None
    drawn = np.zeros(frames.shape[1:], np.uint8)
    outlined.paint(drawn)
    np.testing.assert_array_equal(drawn > 0, region.pixels(mask_of(asking)))
    assert "Esc returns to the mask" in asking.words


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The forward passes of the explainers; measuring the influence of stages runs the network in its own way."""
    count: list[int] = []
    predict = explainer_module.predict

    def counted_predict(network: Network, runner: Runner, *args: Any) -> Any:
        if runner.stages:  # doubt is measured by masks alone, at its own time
            count.append(1)
        return predict(network, runner, *args)

    monkeypatch.setattr(explainer_module, "predict", counted_predict)
    monkeypatch.setattr(
        EvidenceController, "_estimate", lambda _controller: None
    )  # it explains, at its own time: patched before there is a session
    return count


def test_back_shows_the_earlier_heat_at_once_and_runs_nothing(forwards: list[int], asking: Asking) -> None:
    of_mask, curves = asking.heat().copy(), {name: curve.copy() for name, curve in asking.review.record.curves.items()}
    asking.at(10, 10)
    assert not np.array_equal(asking.heat(), of_mask)
    forwards.clear()
    asking.controller.back()
    np.testing.assert_array_equal(asking.heat(), of_mask)
    asking.session.go_to(2)
    assert asking.heat().any(), "the other frames are shown again too"
    asking.wait()
    assert not forwards
    assert not asking.controller.is_asked
    assert "Esc" not in asking.words
    for name, curve in asking.review.record.curves.items():
        np.testing.assert_array_equal(curve, curves[name], err_msg="what was asked is not in the curves")


def test_the_second_answer_needs_no_second_forward_pass(forwards: list[int], asking: Asking) -> None:
    forwards.clear()
    asking.at(10, 10)
    assert len(forwards) == 1, "the frame in view was computed first, and then others"
    forwards.clear()
    asking.at(50, 30)
    asking.controller.ask_box(asking.position(5, 5), asking.position(40, 30))
    asking.wait()
    assert not forwards
    assert "heat explains the box" in asking.words


def test_a_box_and_a_lasso_hold_the_pixels_that_were_drawn(
    asking: Asking, network: Network, frames: np.ndarray
) -> None:
    asking.controller.ask_box(asking.position(30, 40), asking.position(10, 20))
    asking.wait()
    np.testing.assert_array_equal(asking.heat(), expected(network, frames[1], Box(10, 20, 31, 41)))
    assert "the box of 441 pixels, rows 10–30, columns 20–40" in asking.words
    corners = ((5, 5), (5, 45), (60, 20))
    asking.controller.ask_lasso([asking.position(*corner) for corner in corners])
    asking.wait()
    np.testing.assert_array_equal(asking.heat(), expected(network, frames[1], Polygon(corners)))
    assert "heat explains the drawn area of" in asking.words


def test_the_same_place_is_asked_about_in_another_frame(asking: Asking, network: Network, frames: np.ndarray) -> None:
    asking.at(40, 30)
    asking.session.go_to(3)
    asking.wait()
    np.testing.assert_array_equal(asking.heat(), expected(network, frames[3], At(40, 30)))
    assert "same place as in frame 1" in asking.words
    asking.session.go_to(1)
    asking.wait()
    assert "same place" not in asking.words
    np.testing.assert_array_equal(asking.heat(), expected(network, frames[1], At(40, 30)))


def test_a_double_click_asks_once(asking: Asking) -> None:
    asking.at(40, 30)
    plan = asking.review.results.asked
    asking.at(40, 30)
    assert asking.review.results.asked is plan
    asking.at(41, 30)
    assert asking.review.results.asked is not plan


def test_a_slow_answer_can_be_stopped_and_leaves_the_mask(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(click_controller, "_WAIT_MS", 0)
    of_mask, release = asking.heat().copy(), threading.Event()
    explain = Explainers.explain

    def slowly(self: Explainers, *args: Any, **options: Any) -> Any:
        release.wait(20)
        return explain(self, *args, **options)

    monkeypatch.setattr(Explainers, "explain", slowly)
    asking.controller.ask_at(asking.position(40, 30))
    qtbot.waitUntil(lambda: "explaining row 40, column 30 … · Esc stops" in asking.words, timeout=20_000)
    np.testing.assert_array_equal(asking.heat(), of_mask)
    asking.controller.back()
    release.set()
    asking.wait()
    qtbot.wait(200)
    assert asking.review.results.asked is None, "the late answer is dropped"
    np.testing.assert_array_equal(asking.heat(), of_mask)
    assert "explaining" not in asking.words


def test_places_that_cannot_be_explained_are_refused_in_words(asking: Asking) -> None:
    of_mask = asking.heat().copy()
    for row, column in ((-3, 10), (96, 10), (10, 64)):
        asking.at(row, column)
        assert asking.session.viewer.status == "Nothing is explained there: it is outside the frame."
    asking.controller.ask_lasso([asking.position(5, 5), asking.position(5, 6)])
    assert asking.session.viewer.status == "Nothing is explained: there is no pixel of the frame within the line."
    asking.controller.ask_box(asking.position(-9, -9), asking.position(-2, 30))
    assert asking.session.viewer.status == "Nothing is explained: the box is outside the frame."
    np.testing.assert_array_equal(asking.heat(), of_mask)


def test_outside_the_input_region_nothing_is_explained(asking: Asking) -> None:
    asking.review.set_crop((slice(0, 64), slice(0, 64)), is_drawn=True)
    asking.wait()
    asking.at(80, 10)
    assert asking.session.viewer.status == "The network does not see this part of the frame."
    assert not asking.controller.is_asked
    asking.at(20, 10)
    assert asking.controller.is_asked


def test_a_new_run_ends_what_was_asked(asking: Asking, finish: Finish) -> None:
    asking.at(40, 30)
    asking.session.run(RunRequest(stages=(STAGE,), region="image"), "current")
    finish(asking.session)
    assert not asking.controller.is_asked
    assert "Esc" not in asking.words


def test_the_place_can_be_the_region_of_a_run(asking: Asking, network: Network, frames: np.ndarray) -> None:
    asking.at(40, 30)
    asked = asking.controller.asked
    assert asked is not None
    asking.session.run(RunRequest(stages=(STAGE,), region=asked.region), "all")
    asking.wait()
    asking.session.go_to(0)
    np.testing.assert_array_equal(asking.heat(), expected(network, frames[0], At(40, 30)))


def test_an_export_writes_what_is_shown_and_names_the_place(asking: Asking, tmp_path: Path, qtbot: QtBot) -> None:
    asking.at(40, 30)
    heat = asking.heat().copy()
    export_frames(asking.session, Export(tmp_path, [1]))
    qtbot.waitUntil(lambda: asking.session.background.job is None, timeout=60_000)
    record = json.loads((tmp_path / "explanation.json").read_text(encoding="utf-8"))
    assert record["target"]["region"] == "At row=40 column=30 radius=6"
    with np.load(tmp_path / "heatmaps.npz") as written:
        np.testing.assert_array_equal(written[STAGE], heat)


def test_a_folder_is_run_with_a_place_but_not_with_a_drawn_area(asking: Asking) -> None:
    for region, option in ((At(40, 30, 7), "at:30,40,7"), (Box(1, 2, 30, 40), "box:2,1,40,30")):
        asking.session.run(RunRequest(stages=(STAGE,), region=region), "current")
        asking.wait()
        assert options_from_plan(asking.review.plan, 0.5).region == option
        assert parse_region(option) == region
    asking.session.run(RunRequest(stages=(STAGE,), region=Polygon(((1, 1), (9, 9), (1, 9)))), "current")
    asking.wait()
    with pytest.raises(SegcamError, match="The area that you have drawn belongs to this image"):
        options_from_plan(asking.review.plan, 0.5)


@pytest.mark.slow
def test_the_run_goes_on_after_the_answer(
    session: ReviewSession, network: Network, frames: np.ndarray, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_jobs, "_STAY_SECONDS", 60.0)
    session.viewer.add_image(np.concatenate([frames] * 3), name="sweep")
    session.viewer.dims.set_current_step(0, 0)
    session.use(network)
    asking = Asking(session, qtbot)
    session.run(RunRequest(stages=(STAGE,)), "all")
    qtbot.waitUntil(lambda: int((asking.review.record.states == FrameState.DONE).sum()) >= 1, timeout=60_000)
    asking.controller.ask_at(asking.position(40, 30))
    qtbot.waitUntil(lambda: asking.review.results.asked is not None, timeout=60_000)
    assert (asking.review.record.states != FrameState.DONE).any(), "the answer came before the rest of the run"
    asking.wait()
    assert (asking.review.record.states == FrameState.DONE).all()
    np.testing.assert_array_equal(asking.heat(), expected(network, frames[0], At(40, 30)))
    asking.controller.back()
    for frame in range(12):
        session.go_to(frame)
        assert np.isfinite(asking.heat()).all()


def test_a_click_before_any_run_brings_the_mask_too(
    session: ReviewSession, network: Network, frames: np.ndarray, qtbot: QtBot
) -> None:
    session.viewer.add_image(frames, name="sweep")
    session.use(network)
    asking = Asking(session, qtbot)
    asking.controller.chosen_request = lambda: RunRequest(stages=(STAGE,))
    frame = session.current_frame()
    asking.at(40, 30)
    np.testing.assert_array_equal(asking.heat(), expected(network, frames[frame], At(40, 30)))
    asking.controller.back()
    np.testing.assert_array_equal(asking.heat(), expected(network, frames[frame], "mask"))


@pytest.mark.slow
def test_the_class_is_that_of_the_mask_under_the_click(
    session: ReviewSession, three_classes: Network, frames: np.ndarray, qtbot: QtBot, finish: Finish
) -> None:
    session.viewer.add_image(frames, name="sweep")
    session.viewer.dims.set_current_step(0, 1)
    session.use(three_classes)
    session.run(RunRequest(stages=(STAGE,), class_index=0), "all")
    finish(session)
    asking = Asking(session, qtbot)
    mask = asking.review.layers.mask
    assert mask is not None
    labels = np.asarray(mask.data[1])
    seen, explained = int(labels.max()), 3 - int(labels.max())
    assert seen, "the network finds something"
    session.run(RunRequest(stages=(STAGE,), class_index=explained), "all")
    finish(session)
    area = asking.review.record.curves["area"][1]
    row, column = place_with(labels == seen, found=True)
    asking.at(row, column)
    assert asking.controller.asked is not None
    assert asking.controller.asked.class_index == seen
    np.testing.assert_array_equal(asking.heat(), expected(three_classes, frames[1], At(row, column), seen))
    assert f"heat explains {three_classes.class_names[seen]}, the component of" in asking.words
    mask.visible = False
    asking.at(row, column)
    assert asking.controller.asked.class_index == explained, "a hidden mask is not under the cursor"
    np.testing.assert_array_equal(asking.heat(), expected(three_classes, frames[1], At(row, column), explained))
    assert asking.review.record.curves["area"][1] == area


def test_the_component_of_a_correction_is_explained_as_it_is_painted(
    asking: Asking, network: Network, frames: np.ndarray
) -> None:
    mask = asking.review.layers.mask
    assert mask is not None
    mask.selected_label, mask.brush_size = 1, 7
    row, column = place_with(mask_of(asking), found=False)
    mask.paint((1, row, column), 1)
    asking.wait()
    correction = asking.review.layers.corrections.pixels(1)
    assert correction is not None
    asking.at(row, column)
    region = At(row, column).pixels(correction > 0)
    np.testing.assert_array_equal(asking.heat(), expected(network, frames[1], region))
    assert f"the component of {region.sum():,} pixels of your correction at row {row}" in asking.words
    layer = asking.review.layers.corrections.layer
    assert layer is not None
    layer.paint((1, row, column), 0)
    asking.wait()
    assert "of your correction" not in asking.words, "the answer follows the painting"
    assert asking.review.plan is not None
    assert asking.review.plan.request.region != CORRECTED


def test_another_image_keeps_its_own_question(asking: Asking, frames: np.ndarray) -> None:
    asking.at(40, 30)
    sweep = asking.review.image
    other = asking.session.viewer.add_image(frames[::-1].copy(), name="other")
    assert isinstance(other, Image)
    assert not asking.controller.is_asked
    asking.session.choose_image(sweep)
    asking.wait()
    assert asking.controller.is_asked
    assert "row 40, column 30" in asking.words


def test_a_network_that_classifies_has_no_places(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "segments", property(lambda _self: False))
    asking.controller.ask_at(asking.position(10, 10))
    assert "no place of it to ask about" in asking.session.viewer.status
