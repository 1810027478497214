"""Calipers of a session: findings, drawn lines, undo, what is outdated, and volumes; without a window."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari.layers import Image, Shapes
from qtpy.QtWidgets import QFileDialog
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.network import Network
from napari_segcam.viewer.calipers import calipers_controller, volume_plan
from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.calipers.label_places import LINE, label_places
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.export_widget import ExportWidget

SPACING = (0.2, 0.5)


class Bright(nn.Module):
    """The mask is what is bright: at threshold 0.5 from 128 on, at lower ones from less."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)
        nn.init.constant_(self.conv.weight, 10.0)
        nn.init.constant_(self.conv.bias, -5.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


@pytest.fixture(scope="module")
def bright() -> Network:
    card = sc.ModelCard(input_channels=1, normalization="unit", class_names=("cyst",))
    return Network.from_module(Bright(), card, device="cpu")


def cine() -> np.ndarray:
    """Three frames: a large and a small rectangle, with a dimmer rim around the large one; the last frame is blank."""
    frames = np.zeros((3, 64, 96), np.uint8)
    frames[:2, 8:32, 16:66] = 110
    frames[:2, 10:30, 20:60] = 220
    frames[1, 40:50, 70:80] = 220
    return frames


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    shown: list[str] = []
    for module in (calipers_controller, volume_plan):
        monkeypatch.setattr(module, "show_warning", shown.append)
    monkeypatch.setattr(calipers_controller, "show_info", shown.append)
    return shown


@pytest.fixture
def controller(
    session: ReviewSession, bright: Network, finish: Callable[[ReviewSession], None], notes: list[str]
) -> CalipersController:
    """All frames of a calibrated cine are segmented, and the second one is in view."""
    assert notes == []
    session.viewer.add_image(
        cine(), name="clip", contrast_limits=(0, 255), metadata={"segcam_source": {"spacing_mm": SPACING}}
    )
    session.viewer.dims.set_current_step(0, 1)
    session.use(bright)
    session.run(RunRequest(), "all")
    finish(session)
    return controller_of(session, CalipersController)


def image_of(session: ReviewSession) -> Image:
    assert session.image is not None
    return session.image


def shapes(session: ReviewSession) -> Shapes:
    return next(layer for layer in session.viewer.layers if isinstance(layer, Shapes))


def texts(session: ReviewSession) -> list[str]:
    return [text for text in shapes(session).text.values if text]


def test_the_largest_finding_and_the_one_at_a_pixel(controller: CalipersController, session: ReviewSession) -> None:
    controller.measure_finding()
    controller.measure_finding((45, 75))
    large, small = controller.of(session.image)
    truth = sc.measure_finding(cine()[1] > 127, SPACING)
    assert large.values()["longest"] == pytest.approx(truth.longest.length)
    assert large.values()["area"] == pytest.approx(20 * 0.2 * 40 * 0.5)
    assert small.values()["area"] == pytest.approx(10 * 0.2 * 10 * 0.5)
    assert (large.name, small.name, large.frame, large.unit) == ("1", "2", 1, "mm")
    assert large.source is not None
    assert (large.source.of, large.source.threshold, large.source.class_name) == ("prediction", 0.5, "cyst")
    assert any("1 more part" in note for note in large.notes)
    assert texts(session)[0].endswith("mm\nof the prediction\nat threshold 0.50")


def test_the_same_finding_is_measured_once(
    controller: CalipersController, session: ReviewSession, notes: list[str]
) -> None:
    controller.measure_finding()
    controller.choose(None)
    controller.measure_finding()
    assert len(controller.of(session.image)) == 1
    assert controller.chosen == controller.of(session.image)[0].identity
    assert "measured already" in notes[-1]


def test_why_nothing_is_measured(controller: CalipersController, session: ReviewSession, notes: list[str]) -> None:
    session.go_to(2)
    controller.measure_finding()
    assert notes[-1] == "There is no finding in frame 2."
    session.go_to(1)
    assert session.review is not None
    session.review.layers.mask.visible = False  # type: ignore[union-attr]
    controller.measure_finding()
    assert "hidden" in notes[-1]
    session.viewer.add_image(np.zeros((20, 20), np.uint8), name="new")
    controller.measure_finding()
    assert "no mask" in notes[-1]
    assert not controller.images()


def test_a_correction_is_measured_instead_of_the_prediction(
    controller: CalipersController, session: ReviewSession, finish: Callable[[ReviewSession], None]
) -> None:
    controller.measure_finding()
    mask = session.review.layers.mask  # type: ignore[union-attr]
    mask.data_setitem((np.full(20, 1), np.full(20, 31), np.arange(20, 40)), 1)
    finish(session)
    controller._watch.check()
    (predicted,) = controller.of(session.image)
    assert controller.outdated(predicted) == "frame 1 is corrected now"
    controller.measure_finding()
    corrected = controller.of(session.image)[-1]
    assert corrected.source.of == "correction"
    assert corrected.source.threshold is None
    assert texts(session)[-1].endswith("of the correction")


def test_a_value_stays_and_is_outdated_after_another_threshold(
    controller: CalipersController, session: ReviewSession, finish: Callable[[ReviewSession], None]
) -> None:
    controller.measure_finding()
    before = controller.of(session.image)
    session.set_threshold(0.3)
    finish(session)
    controller._watch.check()
    assert controller.of(session.image) == before
    assert controller.outdated(before[0]) == "the threshold is now 0.30"
    assert "(outdated: the threshold is now 0.30)" in texts(session)[0]
    controller.measure_finding()
    assert controller.of(session.image)[1].values()["area"] == pytest.approx(
        24 * 0.2 * 50 * 0.5, rel=0.1
    )  # with the rim
    session.set_threshold(0.5)
    finish(session)
    controller._watch.check()
    assert controller.outdated(before[0]) == ""


def test_a_caliper_gets_a_suggested_line_across(controller: CalipersController, session: ReviewSession) -> None:
    controller.set_tool("caliper")
    controller.draw((20.0, 15.0), (20.0, 65.0))
    (caliper,) = controller.of(session.image)
    assert (caliper.kind, caliper.values()) == ("distance", {"longest": 25.0})
    assert controller.suggestion is not None
    assert controller.suggestion.of_mask
    assert controller.suggestion.length == pytest.approx(20 * 0.2)  # the height of the mask there
    assert any("across: 4.0 mm?" in text for text in texts(session))
    controller.keep_suggestion()
    (cross,) = controller.of(session.image)
    assert (cross.kind, cross.identity) == ("cross", caliper.identity)
    assert cross.values() == pytest.approx({"longest": 25.0, "across": 4.0})
    controller.undo()
    assert controller.of(session.image) == (caliper,)
    controller.redo()
    assert controller.of(session.image) == (cross,)


def test_beside_a_mask_the_suggestion_is_in_the_middle(controller: CalipersController, session: ReviewSession) -> None:
    controller.set_tool("caliper")
    controller.draw((60.0, 10.0), (60.0, 30.0))
    assert controller.suggestion is not None
    assert not controller.suggestion.of_mask
    controller.draw((2.0, 10.0), (2.0, 30.0))
    assert [each.kind for each in controller.of(session.image)] == ["distance", "distance"]
    assert controller.suggestion.caliper == controller.of(session.image)[1]
    session.go_to(0)
    assert controller.suggestion is None
    controller.suggests_across = False
    controller.draw((5.0, 10.0), (5.0, 30.0))
    assert controller.suggestion is None


def test_ends_are_dragged_as_one_step(controller: CalipersController, session: ReviewSession) -> None:
    controller.measure_finding()
    (before,) = controller.of(session.image)
    handle = controller.handles()[1]
    for column in (70.0, 75.0, 80.0):
        controller.drag(handle, (handle.point[0], column))
    controller.drop()
    (after,) = controller.of(session.image)
    assert after.points[1] == (pytest.approx(handle.point[0], abs=1e-3), 80.0)
    assert after.values()["longest"] > before.values()["longest"]
    assert after.values()["area"] == before.values()["area"]
    assert "ends moved by the reader" in texts(session)[0]
    controller.undo()
    assert controller.of(session.image) == (before,)


def test_ends_stay_within_the_frame(controller: CalipersController, session: ReviewSession, notes: list[str]) -> None:
    controller.set_tool("caliper")
    controller.draw((-20.0, -20.0), (500.0, 500.0))
    assert controller.of(session.image)[0].points == ((-0.5, -0.5), (63.5, 95.5))
    controller.draw((5.0, 5.0), (5.2, 5.1))
    assert "same place" in notes[-1]
    controller.set_tool("outline")
    controller.trace([(5.0, 5.0), (5.0, 5.0)])
    assert "too short" in notes[-1]
    assert len(controller.of(session.image)) == 1


def test_ellipses_and_outlines(controller: CalipersController, session: ReviewSession) -> None:
    controller.set_tool("ellipse")
    controller.draw((20.0, 20.0), (20.0, 60.0))
    controller.drag(controller.handles()[2], (10.0, 40.0))
    controller.drop()
    controller.set_tool("outline")
    controller.trace([(40.0, 70.0), (40.0, 80.0), (50.0, 80.0), (50.0, 70.0)])
    ellipse, outline = controller.of(session.image)
    assert ellipse.values()["area"] == pytest.approx(np.pi / 4 * 20.0 * 4.0, rel=1e-3)
    assert outline.values()["area"] == pytest.approx(10.0)
    assert "ellipse" not in {handle.identity for handle in controller.handles() if handle.identity == outline.identity}


def test_deleting_and_renaming_can_be_undone(controller: CalipersController, session: ReviewSession) -> None:
    controller.measure_finding()
    (measurement,) = controller.of(session.image)
    controller.rename(measurement.identity, "  left ovary ")
    controller.delete()
    assert controller.of(session.image) == ()
    assert not shapes(session).data
    controller.undo()
    assert controller.of(session.image)[0].name == "left ovary"
    assert texts(session)[0].startswith("left ovary: ")
    controller.undo()
    assert controller.of(session.image) == (measurement,)
    controller.delete("unknown")
    assert controller.of(session.image) == (measurement,)


def test_measurements_are_shown_in_their_frame_alone(controller: CalipersController, session: ReviewSession) -> None:
    controller.measure_finding()
    layer = shapes(session)
    assert layer.visible
    assert {shape[0, 0] for shape in layer.data} == {1.0}
    session.go_to(0)
    assert not layer.visible
    controller.choose(controller.of(session.image)[0].identity)
    assert session.current_frame() == 1
    assert layer.visible
    layer.visible = False  # by the user, which lasts
    session.go_to(0)
    session.go_to(1)
    assert not layer.visible
    assert controller.handles() == []
    controller.measure_finding((45, 75))
    assert layer.visible


def test_a_removed_layer_comes_back_with_the_next_measurement(
    controller: CalipersController, session: ReviewSession
) -> None:
    controller.measure_finding()
    session.viewer.layers.remove(shapes(session))
    controller.rename(controller.of(session.image)[0].identity, "cyst")
    session.go_to(0)
    assert not any(isinstance(layer, Shapes) for layer in session.viewer.layers)
    assert len(controller.of(session.image)) == 1
    session.go_to(1)
    controller.measure_finding((45, 75))
    assert len(texts(session)) == 2


def test_each_image_has_its_own_measurements(controller: CalipersController, session: ReviewSession) -> None:
    controller.measure_finding()
    clip = image_of(session)
    session.viewer.add_image(np.zeros((40, 40), np.uint8), name="still")
    still = image_of(session)
    controller.set_tool("caliper")
    controller.draw((5.0, 5.0), (5.0, 25.0))
    assert [layer.visible for layer in session.viewer.layers if isinstance(layer, Shapes)] == [False, True]
    assert controller.of(still)[0].values() == {"longest": 20.0}
    assert controller.of(still)[0].unit == "px"
    assert "20.0 px (uncalibrated)" in "".join(
        text for layer in session.viewer.layers if isinstance(layer, Shapes) for text in layer.text.values
    )
    session.viewer.layers.remove(still)
    assert session.image is clip
    assert len(controller.of(clip)) == 1
    assert shapes(session).visible


def test_plain_values_restore_everything(controller: CalipersController, session: ReviewSession) -> None:
    clip = image_of(session)
    controller.measure_finding()
    controller.set_tool("caliper")
    controller.draw((20.0, 15.0), (20.0, 65.0))
    controller.keep_suggestion()
    kept, records = controller.of(clip), json.loads(json.dumps(controller.measurements(clip)))
    emitted: list[Any] = []
    controller.measured.connect(emitted.append)
    controller.set_measurements(clip, [])
    assert controller.of(clip) == ()
    controller.set_measurements(clip, records)
    assert controller.of(clip) == kept
    assert len(texts(session)) == 2
    assert emitted == []
    assert not controller.unsaved()
    assert controller.steps == (False, False)
    with pytest.raises(SegcamError):
        controller.set_measurements(clip, [*records, {"kind": "distance"}])
    assert controller.of(clip) == kept
    controller.delete(kept[0].identity)
    assert emitted == [clip]
    assert controller.unsaved() == ["1 measurement of clip, not saved"]


def test_a_volume_from_two_planes_follows_them(
    controller: CalipersController, session: ReviewSession, notes: list[str]
) -> None:
    controller.volume.begin(session.image, None)
    assert "two diameters" in notes[-1]
    controller.measure_finding()
    controller.volume.begin(session.image, controller.chosen_measurement)
    assert controller.volume.first_words().endswith("(1, clip, frame 1)")
    session.go_to(0)
    controller.suggests_across = False
    controller.set_tool("caliper")
    controller.draw((10.0, 40.0), (40.0, 40.0))
    ((words, width),) = controller.volume.widths(session.image, session.current_frame())
    assert words == "2: 6.0 mm (frame 0)"
    controller.add_volume(width)
    finding, line, volume = controller.of(session.image)
    sides = finding.values()
    expected = np.pi / 6 * sides["longest"] * sides["across"] * 6.0 / 1000
    assert volume.values()["volume"] == pytest.approx(expected)
    assert (volume.frame, volume.planes) == (0, ("1, clip, frame 1", "2, clip, frame 0"))
    handle = next(handle for handle in controller.handles() if handle.identity == line.identity and handle.index == 1)
    controller.drag(handle, (25.0, 40.0))
    controller.drop()
    assert controller.of(session.image)[2].values()["volume"] == pytest.approx(expected / 2)
    controller.delete(finding.identity)
    assert controller.of(session.image)[1].values()["volume"] == pytest.approx(expected / 2)


def test_planes_without_calibration_make_no_volume_across_images(
    controller: CalipersController, session: ReviewSession, notes: list[str]
) -> None:
    controller.suggests_across = False
    controller.set_tool("ellipse")
    controller.draw((5.0, 5.0), (5.0, 25.0))
    controller.volume.begin(session.image, controller.chosen_measurement)
    session.viewer.add_image(np.zeros((40, 40), np.uint8), name="first")
    controller.set_tool("ellipse")
    controller.draw((5.0, 5.0), (5.0, 25.0))
    controller.add_volume(controller.volume.widths(session.image, session.current_frame())[0][1])
    assert "calibrated and the other is not" in notes[-1]
    controller.volume.begin(session.image, controller.chosen_measurement)
    session.viewer.add_image(np.zeros((40, 40), np.uint8), name="second")
    controller.draw((5.0, 5.0), (5.0, 25.0))
    controller.add_volume(controller.volume.widths(session.image, session.current_frame())[0][1])
    assert "Neither image is calibrated" in notes[-1]
    assert all(each.kind == "ellipse" for image in controller.images() for each in controller.of(image))


def test_texts_are_not_over_each_other_and_within_the_frame() -> None:
    lines = [(0, np.array([(row, 100.0), (row, 150.0)]), "1: 30.1 mm\nof the prediction") for row in (50, 52, 54, 196)]
    below, second, third, above = label_places(lines, (200, 300))
    assert 50 < below[0] < second[0] < third[0]
    assert second[0] - below[0] >= 2 * 200 * LINE - 1e-9
    assert above[0] < 196
    (alone,) = label_places([(1, lines[0][1], "1: 30.1 mm\nof the prediction")], (200, 300))
    np.testing.assert_array_equal(alone, below)
    (aside,) = label_places([(0, np.array([(50.0, 2.0), (60.0, 4.0)]), "1: 3 mm")], (200, 300))
    assert aside[1] > 50  # it would be cut off at the left


def test_lines_are_drawn_where_they_were_set_if_pixels_are_not_square(session: ReviewSession) -> None:
    image = session.viewer.add_image(np.zeros((40, 60), np.uint8), scale=SPACING, translate=(3, 7))
    controller = controller_of(session, CalipersController)
    controller.suggests_across = False
    controller.set_tool("caliper")
    controller.draw((5.0, 10.0), (25.0, 30.0))
    layer = shapes(session)
    path = np.array([layer.data_to_world(point) for point in layer.data[0]])
    np.testing.assert_allclose(path[2:4], [image.data_to_world(point) for point in ((5.0, 10.0), (25.0, 30.0))])
    tick, along = path[1] - path[0], path[3] - path[2]
    assert abs(tick @ along) < 1e-4  # the marks at the ends are at a right angle on the canvas


def test_an_export_holds_the_measurements_of_its_frames(
    controller: CalipersController,
    session: ReviewSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    finish: Callable[[ReviewSession], None],
) -> None:
    controller.measure_finding()
    session.go_to(0)
    controller.measure_finding()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    widget = ExportWidget(session.viewer)
    widget.export_frame.click()
    finish(session)
    while session.background.job is not None:
        finish(session)
    with (tmp_path / "clip_frame_0000" / "measurements.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["frame"], row["name"], row["measured_on"]) == ("0", "2", "prediction")
