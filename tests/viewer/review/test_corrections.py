"""Corrections: they stay the reader's with any network, and texts and figures about them follow the brush."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels
from pytestqt.qtbot import QtBot

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.frames.run_request import CORRECTED, RunRequest
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.workspace import PLUGIN

Finish = Callable[[ReviewSession], None]
STAGES = ("encoder_5",)
EXPLAIN = RunRequest(stages=STAGES)


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


def record_of(session: ReviewSession) -> CineRecord:
    assert session.record is not None
    return session.record


def paint(labels: Labels, frame: int, label: int = 1) -> None:
    """Paint a stroke on one frame."""
    rows, columns = (axis.ravel() for axis in np.mgrid[2:12, 3:9])
    labels.data_setitem((np.full(len(rows), frame), rows, columns), label)


@pytest.mark.slow
@pytest.mark.parametrize("other", ["one class", "three classes"])
def test_another_network_replaces_the_prediction_and_keeps_the_correction(
    reviewed: ReviewSession,
    finish: Finish,
    three_classes: Network,
    frames: np.ndarray,
    other: str,
    request: pytest.FixtureRequest,
) -> None:
    paint(mask_of(reviewed), 1)
    corrected = correction_of(reviewed).data[1].copy()
    second = three_classes if other == "three classes" else request.getfixturevalue("second_network")
    reviewed.use(second)
    assert record_of(reviewed).edited == {1}
    assert reviewed.view.is_corrected
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    expected = Explainer(second, stages=STAGES)(frames[1])
    np.testing.assert_array_equal(mask_of(reviewed).data[1], expected.mask)
    np.testing.assert_array_equal(correction_of(reviewed).data[1], corrected)
    area = int(expected.region.sum())
    assert record_of(reviewed).curves[CineRecord.AREA][1] == area
    explained = reviewed.review.results.stored_heatmaps(1)  # type: ignore[union-attr]
    assert explained is not None
    assert explained.region is not None
    assert explained.region.is_in(expected.region.astype(np.uint8))


@pytest.fixture
def second_network() -> Network:
    import segmentation_models_pytorch as smp
    import torch

    torch.manual_seed(7)
    return Network.from_module(smp.Unet("resnet18", encoder_weights=None), device="cpu")


def test_area_mark_and_text_follow_each_stroke_its_undo_and_its_redo(reviewed: ReviewSession) -> None:
    record, predicted = record_of(reviewed), mask_of(reviewed).data[1].copy()
    paint(mask_of(reviewed), 1)
    np.testing.assert_array_equal(mask_of(reviewed).data[1], predicted)
    correction = correction_of(reviewed)
    painted = correction.data[1].copy()
    assert (painted != predicted).any()
    assert record.edited == {1}
    assert record.curves[CineRecord.CORRECTED_AREA][1] == np.count_nonzero(painted)
    assert record.curves[CineRecord.AREA][1] == np.count_nonzero(predicted)
    assert reviewed.view.is_corrected
    assert "corrected by you" in reviewed.view.of_frame
    correction.undo()
    assert record.edited == set()
    assert not reviewed.view.is_corrected
    assert "corrected" not in reviewed.view.of_frame
    correction.redo()
    np.testing.assert_array_equal(correction.data[1], painted)
    assert record.edited == {1}
    assert reviewed.view.is_corrected


def test_an_undone_correction_leaves_nothing_behind(reviewed: ReviewSession) -> None:
    paint(mask_of(reviewed), 1)
    correction_of(reviewed).undo()
    reviewed.go_to(2)
    assert not correction_of(reviewed).data.any()
    correction_of(reviewed).redo()
    assert record_of(reviewed).edited == set()


def test_an_undo_in_a_frame_out_of_view_is_noticed(reviewed: ReviewSession) -> None:
    paint(mask_of(reviewed), 1)
    reviewed.go_to(3)
    correction_of(reviewed).undo()
    assert record_of(reviewed).edited == set()


def test_erasing_everything_is_a_correction_too(reviewed: ReviewSession) -> None:
    mask = mask_of(reviewed)
    mask.data_setitem(np.nonzero(np.arange(4)[:, None, None] == np.ones_like(mask.data)), 0)
    correction = correction_of(reviewed)
    assert record_of(reviewed).edited == {1}
    assert not correction.data[1].any()
    assert record_of(reviewed).curves[CineRecord.CORRECTED_AREA][1] == 0


@pytest.mark.parametrize("how", ["fill", "array", "view"])
def test_any_way_of_painting_makes_a_correction(reviewed: ReviewSession, how: str) -> None:
    mask = mask_of(reviewed)
    predicted = mask.data.copy()
    if how == "fill":
        mask.n_edit_dimensions = 3
        mask.contiguous = False
        mask.fill((0, *np.argwhere(predicted[0] == 0)[0]), 1)
        expected = np.ones_like(predicted)
        frames = {0, 1, 2, 3}
    elif how == "array":
        expected = predicted.copy()
        expected[2, :9] = 1
        mask.data = expected.copy()
        frames = {2}
    else:
        expected = predicted.copy()
        expected[1, 5:9] = 1 - expected[1, 5:9]
        mask.data[1] = expected[1]
        mask.refresh()
        frames = {1}
    np.testing.assert_array_equal(mask.data, predicted)
    assert record_of(reviewed).edited == frames
    for frame in frames:
        np.testing.assert_array_equal(correction_of(reviewed).data[frame], expected[frame])


def test_an_array_of_another_shape_becomes_a_separate_layer(reviewed: ReviewSession) -> None:
    mask = mask_of(reviewed)
    predicted, other_array = mask.data.copy(), np.ones((4, 50, 40), np.int32)
    mask.data = other_array
    np.testing.assert_array_equal(mask.data, predicted)
    assert any(np.array_equal(layer.data, other_array) for layer in reviewed.viewer.layers if isinstance(layer, Labels))
    reviewed.go_to(2)


def test_a_stroke_in_the_corrections_layer_begins_with_the_prediction(reviewed: ReviewSession) -> None:
    paint(mask_of(reviewed), 1)
    reviewed.go_to(2)
    predicted = mask_of(reviewed).data[2].copy()
    paint(correction_of(reviewed), 2, 1)
    expected = predicted.copy()
    expected[2:12, 3:9] = 1
    np.testing.assert_array_equal(correction_of(reviewed).data[2], expected)
    assert record_of(reviewed).edited == {1, 2}


def test_the_brush_moves_to_the_layer_of_the_readers_mask(reviewed: ReviewSession, qtbot: QtBot) -> None:
    mask, selection = mask_of(reviewed), reviewed.viewer.layers.selection
    selection.active = mask
    mask.mode, mask.brush_size = "paint", 7
    paint(mask, 1)
    correction = correction_of(reviewed)
    qtbot.waitUntil(lambda: selection.active is correction)
    assert (str(correction.mode), correction.brush_size, str(mask.mode)) == ("paint", 7, "pan_zoom")
    correction.mode = "erase"
    reviewed.go_to(3)
    assert selection.active is mask
    assert str(mask.mode) == "erase"
    reviewed.go_to(1)
    assert selection.active is correction
    correction.mode = "pan_zoom"
    reviewed.go_to(2)
    assert selection.active is correction  # no brush is active


def test_a_correction_is_explained_by_the_class_it_was_painted_as(
    reviewed: ReviewSession, three_classes: Network, finish: Finish
) -> None:
    reviewed.use(three_classes)
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    paint(mask_of(reviewed), 1, 2)
    corrections = reviewed.layers().corrections  # type: ignore[union-attr]
    assert corrections.label_of(1, 2) == 2
    pixels = corrections.pixels(1)
    assert pixels is not None
    reviewed.run(RunRequest(stages=STAGES, class_index=2, region=CORRECTED), "current")
    finish(reviewed)
    explained = reviewed.review.results.stored_heatmaps(1)  # type: ignore[union-attr]
    assert explained is not None
    assert explained.region is not None
    assert explained.region.is_in((pixels == 2).astype(np.uint8))


def test_the_discard_button_is_visible_while_there_is_a_correction(
    make_napari_viewer_proxy: Callable[[], Any], network: Network, frames: np.ndarray, finish: Finish, qtbot: QtBot
) -> None:
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Segmentation")
    session: ReviewSession = widget.session
    viewer.add_image(frames, name="sweep")
    viewer.dims.set_current_step(0, 1)
    session.use(network)
    session.run(RunRequest(), "all")
    finish(session)
    assert not widget.discard.isVisibleTo(widget)
    paint(mask_of(session), 1)
    assert widget.discard.isVisibleTo(widget)
    widget.discard.click()
    assert not widget.discard.isVisibleTo(widget)
    assert not correction_of(session).data.any()
    assert session.record is not None
    assert session.record.edited == set()
    qtbot.wait(20)


def test_the_strip_says_which_area_is_predicted_and_which_is_corrected(
    make_napari_viewer_proxy: Callable[[], Any], network: Network, frames: np.ndarray, finish: Finish, qtbot: QtBot
) -> None:
    viewer = make_napari_viewer_proxy()
    _, strip = viewer.window.add_plugin_dock_widget(PLUGIN, "Cine strip")
    session: ReviewSession = strip.session
    viewer.add_image(frames, name="sweep")
    viewer.dims.set_current_step(0, 1)
    session.use(network)
    session.run(RunRequest(), "all")
    finish(session)
    predicted = int(np.count_nonzero(mask_of(session).data[1]))
    paint(mask_of(session), 1)
    corrected = int(np.count_nonzero(correction_of(session).data[1]))
    assert corrected != predicted
    qtbot.waitUntil(lambda: f"corrected area <b>{corrected:,} pixels</b>" in strip.readouts.text(), timeout=2000)
    assert f"predicted area <b>{predicted:,} pixels</b>" in strip.readouts.text()
    curves = {curve.name: curve for curve in strip.plot.content.curves}
    heights = [curves[name].heights[1] for name in CineRecord.AREAS]
    assert heights[0] / heights[1] == pytest.approx(predicted / corrected)
    correction_of(session).undo()
    qtbot.waitUntil(lambda: "corrected area" not in strip.readouts.text(), timeout=2000)
