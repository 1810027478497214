"""The mouse and the keys of the calipers and the Measure widget, in a real window."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_segcam.viewer.calipers.caliper_mouse import CaliperMouse
from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.calipers.saving import save_table
from napari_segcam.viewer.click.click_controller import ClickController
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.measure.measure_widget import MeasureWidget

_LEFT, _NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


class Hand:
    """The canvas of a window, as a user's hand finds it."""

    def __init__(self, viewer: Any, qtbot: QtBot) -> None:
        self.viewer, self._qtbot = viewer, qtbot
        self.session = session_of(viewer)
        self.controller = controller_of(self.session, CalipersController)
        self.mouse = controller_of(self.controller, CaliperMouse)
        canvas = canvas_of(viewer)
        assert canvas is not None
        self.native: QWidget = canvas

    def point(self, row: float, column: float) -> QPoint:
        image = self.session.image
        assert image is not None
        world = np.asarray(image.data_to_world((self.session.current_frame(), row, column)))[-2:]
        camera = self.viewer.scene.camera
        down, right = (world - np.asarray(camera.center)[-2:]) * camera.zoom
        return QPoint(round(self.native.width() / 2 + right), round(self.native.height() / 2 + down))

    def move(self, row: float, column: float, buttons: Any = Qt.MouseButton.NoButton) -> None:
        point = self.point(row, column)
        place = (QPointF(point), QPointF(self.native.mapToGlobal(point)))
        event = QMouseEvent(QEvent.Type.MouseMove, *place, Qt.MouseButton.NoButton, buttons, _NONE)
        QApplication.sendEvent(self.native, event)
        self._qtbot.wait(20)  # napari takes a move every few milliseconds

    def click(self, row: float, column: float) -> None:
        self.move(row, column)
        QTest.mouseClick(self.native, _LEFT, _NONE, self.point(row, column))

    def drag(self, *places: tuple[float, float]) -> None:
        self.move(*places[0])
        QTest.mousePress(self.native, _LEFT, _NONE, self.point(*places[0]))
        for place in places[1:]:
            self.move(*place, _LEFT)
        QTest.mouseRelease(self.native, _LEFT, _NONE, self.point(*places[-1]))

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = _NONE) -> None:
        self.native.setFocus()
        QTest.keyClick(self.native, key, modifiers)

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self.controller.of(self.session.image)]


@pytest.fixture
def hand(make_napari_viewer: Callable[..., Any], frames: np.ndarray, qtbot: QtBot) -> Iterator[Hand]:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(900, 700)
    viewer.add_image(frames, name="sweep", scale=(1, 1, 2))
    hand = Hand(viewer, qtbot)
    hand.session.go_to(0)
    viewer.reset_view()
    qtbot.wait(100)
    yield hand
    qtbot.waitUntil(lambda: not hand.session.is_busy, timeout=20_000)


def test_two_clicks_or_a_drag_make_a_caliper(hand: Hand) -> None:
    hand.click(30, 10)
    assert hand.kinds == []  # no tool is on
    hand.key(Qt.Key.Key_M, Qt.KeyboardModifier.ShiftModifier)
    assert hand.controller.tool == "caliper"
    hand.click(30, 10)
    hand.move(30, 30)
    assert hand.mouse._sketch is not None
    assert hand.mouse._sketch.isVisible()
    hand.click(30, 50)
    (caliper,) = hand.controller.of(hand.session.image)
    assert caliper.values()["longest"] == pytest.approx(40, abs=1)  # a px is the width of a pixel, here two wide
    assert not hand.mouse._sketch.isVisible()
    hand.controller.drop_suggestion()
    center = hand.viewer.scene.camera.center
    hand.drag((60, 10), (65, 20), (70, 30))
    assert hand.kinds == ["distance", "distance"]
    assert hand.viewer.scene.camera.center == center


def test_enter_keeps_and_escape_drops(hand: Hand) -> None:
    hand.controller.set_tool("caliper")
    hand.click(30, 10)
    hand.key(Qt.Key.Key_Escape)
    hand.click(50, 10)
    hand.click(50, 50)
    assert hand.kinds == ["distance"]
    hand.key(Qt.Key.Key_Return)
    assert hand.kinds == ["cross"]
    hand.click(80, 10)
    hand.click(80, 50)
    hand.key(Qt.Key.Key_Escape)
    assert hand.controller.suggestion is None
    assert hand.controller.tool == "caliper"
    hand.key(Qt.Key.Key_Escape)
    assert hand.controller.tool is None
    assert hand.kinds == ["cross", "distance"]


def test_ends_are_dragged_while_no_tool_is_on_and_the_rest_pans(hand: Hand) -> None:
    hand.controller.suggests_across = False
    hand.controller.set_tool("caliper")
    hand.drag((30, 10), (30, 30), (30, 50))
    hand.controller.set_tool(None)
    hand.move(30, 50)
    assert hand.viewer.cursor.style == "pointing"
    hand.move(60, 50)
    assert hand.viewer.cursor.style != "pointing"
    hand.drag((30, 50), (40, 40), (50, 30))
    (caliper,) = hand.controller.of(hand.session.image)
    assert caliper.points[1] == pytest.approx((50, 30), abs=0.6)
    assert caliper.points[0] == pytest.approx((30, 10), abs=0.6)
    center = hand.viewer.scene.camera.center
    hand.drag((70, 50), (75, 40), (80, 30))
    assert hand.viewer.scene.camera.center != center
    assert hand.kinds == ["distance"]


def test_dragging_an_end_of_the_suggestion_keeps_it(hand: Hand) -> None:
    hand.controller.set_tool("caliper")
    hand.drag((50, 20), (50, 30), (50, 44))
    assert hand.controller.suggestion is not None
    end = hand.controller.suggestion.line[0]
    hand.drag(end, (end[0] * 0.9 + 5, end[1]), (end[0] * 0.8 + 10, end[1]))
    (cross,) = hand.controller.of(hand.session.image)
    assert cross.kind == "cross"
    assert hand.controller.suggestion is None
    first, second = (np.subtract(cross.points[i + 1], cross.points[i]) * (0.5, 1) for i in (0, 2))
    assert abs(first @ second) < 1e-6


def test_a_traced_outline_and_a_layer_with_its_own_tool(hand: Hand) -> None:
    hand.controller.set_tool("outline")
    hand.drag((30, 20), (30, 40), (60, 40), (60, 20))
    (outline,) = hand.controller.of(hand.session.image)
    assert outline.values()["area"] == pytest.approx(20 * 30 / 2, rel=0.1)  # a pixel is half as high as wide
    labels = hand.viewer.add_labels(np.zeros((4, 96, 64), np.uint8))
    labels.mode = "paint"
    hand.click(80, 20)
    assert labels.data.any()
    assert hand.kinds == ["outline"]
    hand.controller.set_tool("caliper")
    assert labels.mode == "pan_zoom"
    controller_of(hand.session, ClickController).set_tool("point")
    assert hand.controller.tool is None


def test_the_widget_shows_chooses_renames_and_deletes(hand: Hand, qtbot: QtBot) -> None:
    widget = MeasureWidget(hand.viewer)
    hand.viewer.window.add_dock_widget(widget)
    hand.controller.suggests_across = False
    qtbot.mouseClick(widget.tools["caliper"], _LEFT)
    hand.drag((30, 10), (30, 30), (30, 50))
    hand.session.go_to(2)
    hand.drag((50, 10), (50, 20), (50, 30))
    qtbot.waitUntil(lambda: widget.list.topLevelItemCount() == 2)
    assert [widget.list.topLevelItem(row).text(2) for row in (0, 1)] == ["0", "2"]
    assert "Uncalibrated" in widget.calibration.text()
    assert widget.detail.text().startswith("Length: 20.")
    widget.list.setCurrentItem(widget.list.topLevelItem(0))
    assert hand.session.current_frame() == 0
    qtbot.waitUntil(lambda: widget.detail.text().startswith("Length: 40."))
    widget.list.topLevelItem(0).setText(0, "cyst")
    assert hand.controller.of(hand.session.image)[0].name == "cyst"
    qtbot.waitUntil(lambda: widget.list.topLevelItem(0).text(0) == "cyst")
    QTest.keyClick(widget.list, Qt.Key.Key_Delete)
    assert [each.name for each in hand.controller.of(hand.session.image)] == ["2"]
    qtbot.waitUntil(widget.undo.isEnabled)
    qtbot.mouseClick(widget.undo, _LEFT)
    assert [each.name for each in hand.controller.of(hand.session.image)] == ["cyst", "2"]


def test_the_table_is_written_in_the_worker(hand: Hand, qtbot: QtBot, tmp_path: Path) -> None:
    hand.controller.suggests_across = False
    hand.controller.set_tool("caliper")
    hand.drag((30, 10), (30, 30), (30, 50))
    assert hand.controller.unsaved() == ["1 measurement of sweep, not saved"]
    saved: list[bool] = []
    save_table(hand.session, hand.controller, tmp_path / "sub" / "table.csv", lambda: saved.append(True))
    qtbot.waitUntil(lambda: bool(saved), timeout=10_000)
    with (tmp_path / "sub" / "table.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["image"], row["frame"], row["kind"], row["length_unit"]) == ("sweep", "0", "distance", "px")
    assert hand.controller.unsaved() == []
