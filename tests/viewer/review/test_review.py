"""The review of a cine: it follows the current frame, keeps to its memory, and never shows another frame's result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.targets.target import Target
from napari_segcam.network.network import Network
from napari_segcam.viewer.frames import frame_jobs
from napari_segcam.viewer.frames.cine_record import CineRecord, FrameState
from napari_segcam.viewer.frames.frame_computer import FrameComputer
from napari_segcam.viewer.frames.run_request import CORRECTED, RunRequest
from napari_segcam.viewer.review.input_region import choose_input_region
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.segmentation_widget import SegmentationWidget

Finish = Callable[[ReviewSession], None]
STAGES = ("encoder_4", "encoder_5")
EXPLAIN = RunRequest(stages=STAGES)


@pytest.fixture
def cine() -> np.ndarray:
    """Ten different frames of 64 × 64 pixels."""
    return np.random.default_rng(1).integers(0, 255, (10, 64, 64), dtype=np.uint8)


@pytest.fixture
def reviewed(session: ReviewSession, network: Network, cine: np.ndarray) -> ReviewSession:
    """A session with a network and a cine, its first frame in view."""
    session.viewer.add_image(cine, name="sweep")
    session.viewer.dims.set_current_step(0, 0)
    session.use(network)
    return session


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The frames that went through the network, in order."""
    frames: list[int] = []
    compute = FrameComputer.compute

    def counted(self: FrameComputer, frame: int, stages: tuple[str, ...], threshold: float) -> object:
        frames.append(frame)
        return compute(self, frame, stages, threshold)

    monkeypatch.setattr(FrameComputer, "compute", counted)
    return frames


def mask_of(session: ReviewSession) -> Labels:
    layers = session.layers()
    assert layers is not None
    assert layers.mask is not None
    return layers.mask


def correction_of(session: ReviewSession) -> Labels:
    layers = session.layers()
    assert layers is not None
    assert layers.corrections.layer is not None
    return layers.corrections.layer


def heat_of(session: ReviewSession, stage: str) -> Image:
    layers = session.layers()
    assert layers is not None
    return layers.heatmaps[stage]


def assert_shows(session: ReviewSession, frame: int, expected: Explanation) -> None:
    np.testing.assert_array_equal(mask_of(session).data[frame], expected.mask)
    for stage in expected.heatmaps:
        np.testing.assert_array_equal(heat_of(session, stage).data[frame], expected.heatmaps[stage].values)


def test_visited_frames_and_those_ahead_are_computed(
    reviewed: ReviewSession, finish: Finish, network: Network, cine: np.ndarray, computed: list[int]
) -> None:
    reviewed.run(EXPLAIN, "visited")
    finish(reviewed)
    assert computed == list(range(9))  # the current frame and those ahead
    reviewed.go_to(9)
    finish(reviewed)
    assert computed[9:] == [9]
    assert_shows(reviewed, 9, Explainer(network, stages=STAGES)(cine[9]))
    reviewed.go_to(3)
    finish(reviewed)
    assert len(computed) == 10


def test_the_current_frame_is_computed_before_the_others(
    reviewed: ReviewSession, finish: Finish, qtbot: QtBot, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, has_moved = FrameComputer.compute, threading.Event()

    def compute_after_move(self: FrameComputer, *args: Any) -> object:
        results = compute(self, *args)
        has_moved.wait(10)
        return results

    monkeypatch.setattr(FrameComputer, "compute", compute_after_move)
    monkeypatch.setattr(frame_jobs, "_STAY_SECONDS", 60.0)  # on a slow machine, the first frame would be postponed
    reviewed.run(EXPLAIN, "all")
    qtbot.waitUntil(lambda: len(computed) == 1, timeout=10_000)
    reviewed.go_to(7)
    has_moved.set()
    finish(reviewed)
    assert computed[0] == 0
    assert 7 in computed[1:3]
    assert sorted(computed) == list(range(10))


def test_a_second_pass_computes_nothing(reviewed: ReviewSession, finish: Finish, computed: list[int]) -> None:
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    computed.clear()
    for frame in (4, 9, 0):
        reviewed.go_to(frame)
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    assert computed == []


def test_an_alias_is_computed_under_the_name_of_its_stage(
    reviewed: ReviewSession, finish: Finish, computed: list[int]
) -> None:
    reviewed.run(RunRequest(stages=("encoder_last", "encoder_5", "decoder_last")), "all")
    finish(reviewed)
    assert not reviewed.is_busy
    assert sorted(computed) == list(range(10))
    assert reviewed.review is not None
    plan = reviewed.review.plan
    assert plan is not None
    assert plan.stages[0] == "encoder_5"
    assert len(plan.stages) == 2
    assert reviewed.review.results.heatmap(plan, plan.stages[1], 3) is not None


def test_a_stage_that_the_network_does_not_have_is_refused(
    reviewed: ReviewSession, messages: list[str], finish: Finish
) -> None:
    reviewed.run(RunRequest(stages=("encoder_9",)), "all")
    assert "no stage or layer named 'encoder_9'" in messages[-1]
    assert not reviewed.is_busy
    reviewed.run(EXPLAIN, "current")
    finish(reviewed)


@pytest.mark.slow
def test_another_choice_of_stages_computes_only_what_is_missing(
    reviewed: ReviewSession, finish: Finish, network: Network, cine: np.ndarray, computed: list[int]
) -> None:
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    computed.clear()
    reviewed.run(RunRequest(stages=("encoder_5",)), "all")
    finish(reviewed)
    assert computed == []
    assert list(reviewed.layers().heatmaps) == ["encoder_5"]  # type: ignore[union-attr]
    reviewed.run(RunRequest(stages=("encoder_3", "encoder_5")), "all")
    finish(reviewed)
    assert sorted(computed) == list(range(10))
    expected = Explainer(network, stages=("encoder_3", "encoder_5"))(cine[6]).heatmaps
    for stage in expected:
        np.testing.assert_allclose(heat_of(reviewed, stage).data[6], expected[stage].values, rtol=1e-3)


def test_another_method_keeps_the_masks_and_stores_the_earlier_heat(
    reviewed: ReviewSession, finish: Finish, network: Network, cine: np.ndarray, computed: list[int]
) -> None:
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    masks = mask_of(reviewed).data.copy()
    reviewed.run(RunRequest("hirescam", stages=STAGES), "current")
    np.testing.assert_array_equal(mask_of(reviewed).data[1:], masks[1:])
    assert np.isnan(heat_of(reviewed, "encoder_5").data[5]).all()
    finish(reviewed)
    assert_shows(reviewed, 0, Explainer(network, "hirescam", STAGES)(cine[0]))
    computed.clear()
    reviewed.run(EXPLAIN, "all")
    assert computed == []
    assert_shows(reviewed, 5, Explainer(network, stages=STAGES)(cine[5]))


def test_another_threshold_changes_the_masks_and_computes_nothing(
    reviewed: ReviewSession, finish: Finish, qtbot: QtBot, network: Network, cine: np.ndarray, computed: list[int]
) -> None:
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    record = reviewed.record
    assert record is not None
    areas = record.curves[CineRecord.AREA].copy()
    heat = np.asarray(heat_of(reviewed, "encoder_5").data).copy()
    computed.clear()
    for threshold in (0.4, 0.6, 0.55):
        reviewed.set_threshold(threshold)
    expected = [Explainer(network, stages=(), threshold=0.55)(frame).mask for frame in cine]
    qtbot.waitUntil(lambda: bool((mask_of(reviewed).data == expected).all()), timeout=10_000)
    np.testing.assert_array_equal(record.curves[CineRecord.AREA], [mask.sum() for mask in expected])
    assert (record.curves[CineRecord.AREA] != areas).any()
    np.testing.assert_array_equal(np.asarray(heat_of(reviewed, "encoder_5").data), heat)
    assert computed == []


def test_results_stay_within_the_memory_limit(
    reviewed: ReviewSession, finish: Finish, network: Network, cine: np.ndarray, computed: list[int]
) -> None:
    reviewed.run(EXPLAIN, "current")
    finish(reviewed)
    per_frame = reviewed.reviews.store.used_bytes
    reviewed.reviews.set_budget(mask_of(reviewed).data.nbytes + int(4.5 * per_frame))
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    record = reviewed.record
    assert record is not None
    assert list(np.flatnonzero(record.states == FrameState.DONE)) == [0, 1, 2, 3]
    reviewed.go_to(8)
    finish(reviewed)
    assert reviewed.reviews.used_bytes <= reviewed.reviews.store.budget
    assert list(np.flatnonzero(record.states == FrameState.DONE)) == [6, 7, 8, 9]
    assert_shows(reviewed, 8, Explainer(network, stages=STAGES)(cine[8]))
    assert not mask_of(reviewed).data[0].any()
    assert np.isnan(heat_of(reviewed, "encoder_5").data[0]).all()
    computed.clear()
    reviewed.go_to(0)
    finish(reviewed)
    assert computed[0] == 0
    assert_shows(reviewed, 0, Explainer(network, stages=STAGES)(cine[0]))


def test_a_correction_is_kept_until_it_is_discarded(
    reviewed: ReviewSession, finish: Finish, network: Network, cine: np.ndarray
) -> None:
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    record, layers = reviewed.record, reviewed.layers()
    assert record is not None
    assert layers is not None
    mask = mask_of(reviewed)
    mask.paint((0, 30, 30), 1)
    mask.data[0, 0:5, 0:5] = 1  # as by a script: no event follows
    mask.refresh()
    assert record.edited == {0}
    correction = correction_of(reviewed).data[0].copy()
    assert correction[0:5, 0:5].all()
    reviewed.set_threshold(0.6)
    reviewed.run(EXPLAIN, "current")
    finish(reviewed)
    np.testing.assert_array_equal(correction_of(reviewed).data[0], correction)
    np.testing.assert_array_equal(mask.data[0], Explainer(network, stages=(), threshold=0.6)(cine[0]).mask)
    layers.corrections.discard(0)
    assert not correction_of(reviewed).data.any()
    assert record.edited == set()


@pytest.mark.slow
def test_a_correction_is_explained_as_it_is_painted(
    reviewed: ReviewSession, finish: Finish, network: Network, cine: np.ndarray
) -> None:
    request = RunRequest(stages=STAGES, region=CORRECTED)
    reviewed.run(request, "all")
    finish(reviewed)
    predicted = Explainer(network, stages=STAGES)
    assert_shows(reviewed, 0, predicted(cine[0]))
    mask = mask_of(reviewed)
    mask.data_setitem(tuple(np.array([[0, 10, 10], [0, 11, 10], [0, 12, 13]]).T), 1)
    correction = correction_of(reviewed)
    correction.data_setitem(tuple(np.argwhere(correction.data[:1, 20:])[:9].T + np.array([[0], [20], [0]])), 0)
    finish(reviewed)
    expected = predicted(cine[0], Target(region=correction.data[0] > 0))
    np.testing.assert_array_equal(heat_of(reviewed, "encoder_5").data[0], expected.heatmaps["encoder_5"].values)
    assert "heat explains your correction" in reviewed.view.of_frame
    assert_shows(reviewed, 1, predicted(cine[1]))


def test_another_network_removes_the_results_of_the_earlier_one(
    reviewed: ReviewSession, finish: Finish, three_classes: Network
) -> None:
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    reviewed.use(three_classes)
    assert not mask_of(reviewed).data.any()
    assert reviewed.layers().heatmaps == {}  # type: ignore[union-attr]
    assert reviewed.reviews.store.used_bytes == 0
    assert reviewed.record is not None
    assert not reviewed.record.states.any()


@pytest.mark.slow
def test_other_pixels_remove_the_results_of_the_earlier_ones(
    reviewed: ReviewSession, finish: Finish, network: Network, cine: np.ndarray
) -> None:
    image = reviewed.image
    assert image is not None
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    image.data = cine[:6, ::-1].copy()
    assert reviewed.reviews.store.used_bytes == 0
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    assert reviewed.record is not None
    assert len(reviewed.record) == 6
    assert_shows(reviewed, 2, Explainer(network, stages=STAGES)(cine[2, ::-1]))


def test_a_failure_is_shown_once_and_the_other_frames_are_computed(
    session: ReviewSession, finish: Finish, messages: list[str], network: Network
) -> None:
    frames = np.random.default_rng(0).random((5, 64, 64)).astype(np.float32)
    frames[1, 3, 3] = np.nan
    frames[3, 3, 3] = np.inf
    session.viewer.add_image(frames)
    session.viewer.dims.set_current_step(0, 0)
    session.use(network)
    session.run(EXPLAIN, "all")
    finish(session)
    record = session.record
    assert record is not None
    assert list(record.states) == [
        FrameState.DONE,
        FrameState.FAILED,
        FrameState.DONE,
        FrameState.FAILED,
        FrameState.DONE,
    ]
    assert len(messages) == 1
    assert "NaN" in record.failures[3]
    assert "2 failed" in session.outcomes["explain"]


def test_frames_not_computed_differ_from_frames_without_finding(reviewed: ReviewSession, finish: Finish) -> None:
    assert reviewed.view.of_frame == ""
    reviewed.set_threshold(0.99)
    reviewed.run(EXPLAIN, "current")
    finish(reviewed)
    assert reviewed.view.of_frame.startswith("no finding above 0.99")
    assert "encoder_5: no heat" in reviewed.view.of_frame.replace("\n", " ")
    assert reviewed.view.heated == ()
    assert reviewed.view.of_scale == ""
    assert not heat_of(reviewed, "encoder_5").colorbar.visible
    reviewed.go_to(5)
    assert reviewed.view.of_frame.startswith("not computed")
    assert np.isnan(heat_of(reviewed, "encoder_5").data[5]).all()
    assert not np.isnan(heat_of(reviewed, "encoder_5").data[0]).any()


@pytest.mark.slow
def test_a_step_redraws_nothing_that_did_not_change(reviewed: ReviewSession, finish: Finish, qtbot: QtBot) -> None:
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    qtbot.wait(1100)  # the updates that the run left pending are done
    with qtbot.assertNotEmitted(reviewed.record_changed), qtbot.waitSignal(reviewed.figures_changed):
        reviewed.viewer.dims.set_current_step(0, 4)


def test_the_scale_of_the_clip_says_so_far_until_all_frames_are_in(reviewed: ReviewSession, finish: Finish) -> None:
    layers = reviewed.layers()
    assert layers is not None
    reviewed.run(EXPLAIN, "current")
    finish(reviewed)
    assert reviewed.view.of_scale == "heat scaled to all frames so far"
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    assert reviewed.view.of_scale == "heat scaled to all frames"
    layers.set_scale("frame")
    assert reviewed.view.of_scale == "heat scaled to this frame"
    shown = heat_of(reviewed, "encoder_5")
    reviewed.go_to(4)
    assert shown.contrast_limits[1] == pytest.approx(np.max(shown.data[4]))


def test_the_curves_are_of_the_masks_and_maps(reviewed: ReviewSession, finish: Finish) -> None:
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    record = reviewed.record
    assert record is not None
    masks = mask_of(reviewed).data
    np.testing.assert_array_equal(record.curves[CineRecord.AREA], masks.sum((1, 2)))
    dice = 2 * (masks[1:] & masks[:-1]).sum((1, 2)) / (masks[1:].sum((1, 2)) + masks[:-1].sum((1, 2)))
    np.testing.assert_allclose(record.curves[CineRecord.DICE][1:], dice)
    assert np.isnan(record.curves[CineRecord.DICE][0])
    figures = reviewed.figures()
    assert record.curves[CineRecord.ratio_of("encoder_5")][0] == figures["encoder_5"].ratio


def test_the_network_sees_only_the_drawn_region(
    reviewed: ReviewSession, finish: Finish, network: Network, cine: np.ndarray
) -> None:
    reviewed.run(EXPLAIN, "current")
    finish(reviewed)
    drawn = reviewed.viewer.add_shapes([np.array([[8, 16], [8, 63], [55, 63], [55, 16]])], shape_type="rectangle")
    assert reviewed.choices.drawings() == [drawn]
    choose_input_region(reviewed, drawn)
    finish(reviewed)
    crop = (slice(8, 56), slice(16, 64))
    assert_shows(reviewed, 0, Explainer(network, stages=STAGES)(cine[0], crop=crop))
    assert any(layer.name == "sweep scan (drawn)" for layer in reviewed.viewer.layers)
    assert reviewed.choices.drawings() == [drawn]
    choose_input_region(reviewed, "all")
    finish(reviewed)
    assert_shows(reviewed, 0, Explainer(network, stages=STAGES)(cine[0]))
    assert not any("scan" in layer.name for layer in reviewed.viewer.layers)


def test_deleted_layers_stay_deleted_while_the_run_continues(
    reviewed: ReviewSession, finish: Finish, qtbot: QtBot, computed: list[int]
) -> None:
    reviewed.run(EXPLAIN, "all")
    qtbot.waitUntil(lambda: len(reviewed.layers().heatmaps) == 2, timeout=10_000)  # type: ignore[union-attr]
    reviewed.viewer.layers.remove(heat_of(reviewed, "encoder_4"))
    reviewed.viewer.layers.remove(mask_of(reviewed))
    finish(reviewed)
    assert sorted(computed) == list(range(10))
    assert list(reviewed.layers().heatmaps) == ["encoder_5"]  # type: ignore[union-attr]
    assert reviewed.layers().mask is None  # type: ignore[union-attr]
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    assert list(reviewed.layers().heatmaps) == list(STAGES)  # type: ignore[union-attr]
    assert mask_of(reviewed).data.any()


def test_each_image_has_its_own_review(
    reviewed: ReviewSession, finish: Finish, network: Network, cine: np.ndarray
) -> None:
    first = reviewed.image
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    second = reviewed.viewer.add_image(cine[0], name="still")
    reviewed.choose_image(second)
    reviewed.run(EXPLAIN, "current")
    finish(reviewed)
    layers = reviewed.layers()
    assert layers is not None
    expected = Explainer(network, stages=STAGES)(cine[0])
    np.testing.assert_array_equal(layers.heatmaps["encoder_5"].data, expected.heatmaps["encoder_5"].values)
    reviewed.choose_image(first)
    assert_shows(reviewed, 3, Explainer(network, stages=STAGES)(cine[3]))


def test_black_and_white_are_shown_and_can_come_from_the_contrast_limits(
    session: ReviewSession, network: Network, finish: Finish, qtbot: QtBot
) -> None:
    values = np.random.default_rng(1).integers(0, 3000, (64, 64), dtype=np.uint16)
    image = session.viewer.add_image(values, name="deep")
    session.use(network)
    widget = SegmentationWidget(session.viewer)
    qtbot.addWidget(widget)
    session.run(RunRequest(), "current")
    finish(session)
    review = session.review
    assert review is not None
    assert review.input.source.gray_values() == widget.gray_values.text() == "black 0, white 4095 (assumed)"
    image.contrast_limits = (100, 900)
    widget.use_limits.click()
    finish(session)
    assert review.plan is not None
    cine = review.plan.source.cine
    assert (cine.value_range, cine.black_and_white.reason) == ((100, 900), "the layer's contrast limits")
    assert widget.gray_values.text() == "black 100, white 900"
    assert review.record.states[0] == FrameState.DONE
