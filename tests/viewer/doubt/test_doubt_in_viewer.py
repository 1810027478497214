"""Doubt in the viewer: the curve, the doubtful frames, steps to them, the layer of pixels, and the setting."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

import napari_segcam as sc
from napari_segcam.evidence.doubt.measures import DOUBT_MEASURES
from napari_segcam.evidence.doubt.pixel_map import entropy_on_input
from napari_segcam.network.network import Network
from napari_segcam.viewer.doubt.doubt_controller import OFFERED, DoubtController
from napari_segcam.viewer.doubt.doubt_jobs import FrameDoubt, NetworkDoubt
from napari_segcam.viewer.doubt.doubt_pixels import DoubtPixels
from napari_segcam.viewer.doubt.doubt_ranking import ranked_frames
from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.keys import step_doubt
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.strip.doubtful_row import draw_doubtful
from napari_segcam.viewer.strip.strip_widget import StripWidget, curve_heights
from napari_segcam.viewer.widgets.doubt_choice import DoubtChoice, measure_tooltip


def curve(session: ReviewSession) -> np.ndarray:
    assert session.record is not None
    return session.record.curves.get(CineRecord.DOUBT, np.full(len(session.record), np.nan))


def wait_for_doubt(session: ReviewSession, qtbot: QtBot) -> np.ndarray:
    qtbot.waitUntil(lambda: bool(np.isfinite(curve(session)).all()), timeout=60_000)
    return curve(session)


def expected(
    session: ReviewSession, network: Network, frames: np.ndarray, measure: str, threshold: float
) -> list[float]:
    explainer = sc.Explainer(network, stages=(), threshold=threshold)
    levels = session.review.input.source.cine.value_range  # type: ignore[union-attr]
    results = [explainer(frame, None, levels) for frame in frames]
    values = [
        sc.doubt(result, explainer, frame, levels, measure=measure).value
        for result, frame in zip(results, frames, strict=True)
    ]
    return [value for value in values if value is not None]


def test_the_doubt_of_all_frames_is_measured_after_the_masks(
    reviewed: ReviewSession, network: Network, frames: np.ndarray, qtbot: QtBot
) -> None:
    values = wait_for_doubt(reviewed, qtbot)
    assert values == pytest.approx(expected(reviewed, network, frames, "views_and_norms", 0.5), rel=1e-4)
    assert controller_of(reviewed, DoubtController).progress_text().endswith(" doubtful of 4 measured")


def test_another_measure_or_threshold_measures_again(
    reviewed: ReviewSession, network: Network, frames: np.ndarray, qtbot: QtBot
) -> None:
    controller = controller_of(reviewed, DoubtController)
    before = wait_for_doubt(reviewed, qtbot).copy()
    controller.choose("entropy")
    assert np.isnan(curve(reviewed)).all() or not np.isin(curve(reviewed), before).any()
    values = wait_for_doubt(reviewed, qtbot)
    assert values == pytest.approx(expected(reviewed, network, frames, "entropy", 0.5), rel=1e-4)
    reviewed.set_threshold(0.4)
    at_another = expected(reviewed, network, frames, "entropy", 0.4)
    qtbot.waitUntil(lambda: np.allclose(curve(reviewed), at_another, rtol=1e-4), timeout=20_000)
    controller.choose("")
    assert CineRecord.DOUBT not in reviewed.record.curves  # type: ignore[union-attr]


def test_cancel_in_the_activity_dock_measures_no_more(
    reviewed: ReviewSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = controller_of(reviewed, DoubtController)
    setting = DoubtChoice(reviewed)
    qtbot.addWidget(setting)
    wait_for_doubt(reviewed, qtbot)
    may_go_on = threading.Event()

    def slow(_job: NetworkDoubt, _frame: int) -> Iterator[None]:
        for _ in range(1000):
            may_go_on.wait(20)
            yield None

    monkeypatch.setattr(NetworkDoubt, "measure", slow)
    controller.choose("views")
    qtbot.waitUntil(lambda: reviewed.worker.background_job is not None)
    job = reviewed.worker.background_job
    assert job is not None
    assert job.title == "Measuring doubt"
    assert job.stop is not None
    job.stop()
    may_go_on.set()
    qtbot.waitUntil(lambda: reviewed.worker.background_job is None)
    assert controller.measure == ""
    assert setting.measure.currentText() == "Off"


def test_measures_of_the_cine_follow_its_curves(reviewed: ReviewSession) -> None:
    record = reviewed.record
    assert record is not None
    record.curves[CineRecord.DICE] = np.array([np.nan, 0.9, 0.2, 0.9])
    controller_of(reviewed, DoubtController).choose("jump")
    assert np.argmax(curve(reviewed)) in (1, 2)
    assert not record.doubtful()[0]


def test_frames_come_between_two_runs_of_the_network(reviewed: ReviewSession) -> None:
    plan = reviewed.review.plan  # type: ignore[union-attr]
    assert plan is not None
    steps = list(NetworkDoubt(plan, 0.5, "views_and_norms").measure(2))
    assert steps[:-1] == [None] * (1 + DOUBT_MEASURES["views_and_norms"].runs)
    last = steps[-1]
    assert isinstance(last, FrameDoubt)
    assert last.frame == 2


def test_the_key_goes_from_the_most_doubtful_frame_to_the_next(reviewed: ReviewSession) -> None:
    controller = controller_of(reviewed, DoubtController)
    controller.choose("")
    step_doubt(reviewed, 1)
    assert "No doubt is measured yet" in reviewed.viewer.status
    reviewed.record.curves[CineRecord.DOUBT] = np.array([0.3, 0.1, np.nan, 0.2])  # type: ignore[union-attr]
    visited = []
    for direction in (1, 1, 1, -1):
        step_doubt(reviewed, direction)
        visited.append(reviewed.current_frame())
    assert visited == [0, 3, 3, 0]
    assert reviewed.viewer.status == "Doubt 0.30 in frame 0: number 1 of 2"
    reviewed.go_to(1)
    step_doubt(reviewed, 1)
    assert reviewed.current_frame() == 0  # from elsewhere it begins with the most doubtful one


def test_frames_near_a_listed_one_are_left_out_of_the_ranking() -> None:
    doubt = np.array([0.1, 0.8, 0.9, 0.7, 0.2, 0.6, np.nan])
    assert ranked_frames(doubt, 3) == [2, 5]
    assert ranked_frames(doubt, 1) == [2, 1, 3, 5, 4, 0]


def test_doubtful_frames_are_drawn(reviewed: ReviewSession, qtbot: QtBot) -> None:
    record = reviewed.record
    assert record is not None
    wait_for_doubt(reviewed, qtbot)
    controller_of(reviewed, DoubtController).choose("")
    record.curves[CineRecord.DOUBT] = np.array([0.1, 0.5, np.nan, 0.2])
    record.doubtful_from = 0.2
    assert record.doubtful().tolist() == [False, True, False, True]
    row = draw_doubtful(record.doubtful(), 8)
    assert (row[0, :, 3] > 0).tolist() == [False, False, True, True, False, False, True, True]
    assert draw_doubtful(record.doubtful(), 2)[0, :, 3].all()  # two frames a pixel
    assert curve_heights(CineRecord.DOUBT, np.array([0.1, 0.25])).tolist() == pytest.approx([0.2, 0.5])
    assert np.nanmax(curve_heights(CineRecord.DOUBT, np.array([0.1, 0.8]))) == 1
    strip = StripWidget(reviewed.viewer)
    qtbot.addWidget(strip)
    assert CineRecord.DOUBT in strip.curves()
    assert "doubtful" in strip.plot.tooltip(1).split("<br>")[0]
    assert "doubtful" not in strip.plot.tooltip(0).split("<br>")[0]


def test_the_layer_shows_the_pixels_of_the_frame_in_view(reviewed: ReviewSession, qtbot: QtBot) -> None:
    pixels = controller_of(reviewed, DoubtPixels)
    assert not pixels.is_wanted
    pixels.show()
    qtbot.waitUntil(lambda: pixels.layer is not None, timeout=10_000)
    layer = pixels.layer
    assert layer is not None
    for frame in (1, 3):
        reviewed.go_to(frame)
        stored = reviewed.review.results.segmentation(frame)  # type: ignore[union-attr]
        assert stored is not None
        bits = entropy_on_input(stored.segmentation, 0, 0.5)
        qtbot.waitUntil(lambda f=frame, b=bits: np.array_equal(layer.data[f], b, equal_nan=True), timeout=10_000)
    pixels.show()
    assert pixels.layer is layer
    pixels.hide()
    assert layer not in reviewed.viewer.layers
    pixels.show()
    qtbot.waitUntil(lambda: pixels.layer is not None, timeout=10_000)
    reviewed.viewer.layers.remove(pixels.layer)
    reviewed.go_to(2)
    assert not pixels.is_wanted


def test_pixels_need_a_segmented_frame(session: ReviewSession, frames: np.ndarray) -> None:
    session.viewer.add_image(frames)
    pixels = controller_of(session, DoubtPixels)
    pixels.show()
    assert not pixels.is_wanted
    assert "Segment this frame first" in session.viewer.status


def test_the_setting_offers_the_measures_with_their_figures(reviewed: ReviewSession, qtbot: QtBot) -> None:
    choice = DoubtChoice(reviewed)
    qtbot.addWidget(choice)
    assert choice.measure.value == "views_and_norms"
    assert choice.measure.count() == len(OFFERED) + 1
    assert "0.35 of that of random order" in choice.measure.toolTip()
    assert "no cines" in measure_tooltip(DOUBT_MEASURES["jump"])
    index = choice.measure.findData("probability")
    choice.measure.setCurrentIndex(index)
    choice.measure.activated.emit(index)
    assert controller_of(reviewed, DoubtController).measure == "probability"
    wait_for_doubt(reviewed, qtbot)
    assert choice.progress.text().endswith(" of 4 measured")
