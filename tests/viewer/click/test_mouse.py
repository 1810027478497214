"""The mouse of the tool, in a real window: clicks, boxes and lassos; painting and panning stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_segcam.explanation.targets.region import At, Box, Polygon
from napari_segcam.network.network import Network
from napari_segcam.viewer.click.click_controller import ClickController
from napari_segcam.viewer.click.mouse import ClickMouse
from napari_segcam.viewer.click.sketch import Sketch
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.sessions import session_of

_LEFT, _NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


class Canvas:
    """The canvas of a window, as a user's hand finds it."""

    def __init__(self, viewer: Any, network: Network, qtbot: QtBot) -> None:
        self.viewer, self._qtbot = viewer, qtbot
        self.session = session_of(viewer)
        self.session.use(network)
        self.controller = controller_of(self.session, ClickController)
        self.mouse = controller_of(self.controller, ClickMouse)
        canvas = canvas_of(viewer)
        assert canvas is not None
        self.native: QWidget = canvas

    def point(self, row: float, column: float) -> QPoint:
        """Return where a pixel of the image is on the canvas."""
        image = self.session.image
        assert image is not None
        frame = (self.session.current_frame(),) if image.ndim == 3 else ()
        world = np.asarray(image.data_to_world((*frame, row, column)))[list(self.viewer.dims.displayed)][-2:]
        camera = self.viewer.scene.camera
        down, right = (world - np.asarray(camera.center)[-2:]) * camera.zoom
        return QPoint(round(self.native.width() / 2 + right), round(self.native.height() / 2 + down))

    def click(self, row: float, column: float) -> None:
        self._move(self.point(row, column))
        QTest.mouseClick(self.native, _LEFT, _NONE, self.point(row, column))

    def drag(self, *places: tuple[float, float], release: bool = True) -> None:
        points = [self.point(*place) for place in places]
        self._move(points[0])
        QTest.mousePress(self.native, _LEFT, _NONE, points[0])
        for point in points[1:]:
            self._qtbot.wait(20)  # napari takes a move every few milliseconds
            self._move(point, _LEFT)
        self._qtbot.wait(20)
        if release:
            QTest.mouseRelease(self.native, _LEFT, _NONE, points[-1])

    def escape(self) -> None:
        QTest.keyClick(self.native, Qt.Key.Key_Escape)

    def wait(self) -> None:
        self._qtbot.waitUntil(lambda: self.controller._job is None and not self.session.is_busy, timeout=60_000)

    def region(self) -> At | Box | Polygon:
        self.wait()
        assert self.controller.asked is not None
        return self.controller.asked.region

    def _move(self, point: QPoint, buttons: Any = Qt.MouseButton.NoButton) -> None:
        place = (QPointF(point), QPointF(self.native.mapToGlobal(point)))
        event = QMouseEvent(QEvent.Type.MouseMove, *place, Qt.MouseButton.NoButton, buttons, _NONE)
        QApplication.sendEvent(self.native, event)


@pytest.fixture
def canvas(
    make_napari_viewer: Callable[..., Any], network: Network, frames: np.ndarray, qtbot: QtBot, messages: list[str]
) -> Iterator[Canvas]:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(900, 700)
    viewer.add_image(frames, name="sweep", scale=(1, 2, 2))
    canvas = Canvas(viewer, network, qtbot)
    viewer.reset_view()
    qtbot.wait(100)
    yield canvas
    canvas.wait()
    assert not messages


def near(found: tuple[float, ...], expected: tuple[float, ...], pixels: float = 1.0) -> bool:
    return bool(np.abs(np.subtract(found, expected)).max() <= pixels)


@pytest.mark.slow
def test_a_click_asks_only_while_the_tool_is_on(canvas: Canvas) -> None:
    canvas.click(30, 20)
    assert canvas.controller.asked is None
    canvas.controller.set_tool("point")
    assert canvas.viewer.cursor.style == "cross"
    canvas.click(30, 20)
    region = canvas.region()
    assert isinstance(region, At)
    assert near((region.row, region.column), (30, 20))
    assert canvas.controller.is_asked
    canvas.escape()
    assert not canvas.controller.is_asked
    assert canvas.controller.tool == "point"
    canvas.escape()
    assert canvas.controller.tool is None
    assert canvas.viewer.cursor.style == "standard"


@pytest.mark.slow
def test_a_drag_pans_as_usual_while_the_tool_is_for_clicks(canvas: Canvas) -> None:
    canvas.controller.set_tool("point")
    center = canvas.viewer.scene.camera.center
    canvas.drag((30, 20), (40, 30), (50, 40))
    assert canvas.viewer.scene.camera.center != center
    assert canvas.controller.asked is None
    canvas.viewer.scene.camera.zoom *= 1.7
    canvas.click(60, 25)
    region = canvas.region()
    assert isinstance(region, At)
    assert near((region.row, region.column), (60, 25)), "the place is right after panning and zooming"


@pytest.mark.slow
def test_a_box_is_drawn_without_panning_and_dropped_by_escape(canvas: Canvas) -> None:
    canvas.controller.set_tool("box")
    center = canvas.viewer.scene.camera.center
    canvas.drag((20, 10), (40, 30), (60, 50), release=False)
    sketch = canvas.native.findChild(Sketch)
    assert sketch is not None
    assert sketch.isVisible()
    canvas.escape()
    assert not sketch.isVisible()
    QTest.mouseRelease(canvas.native, _LEFT, _NONE, canvas.point(60, 50))
    assert canvas.controller.asked is None
    canvas.drag((20, 10), (40, 30), (60, 50))
    region = canvas.region()
    assert isinstance(region, Box)
    assert near((region.top, region.left, region.bottom - 1, region.right - 1), (20, 10, 60, 50))
    assert canvas.viewer.scene.camera.center == center
    assert canvas.viewer.scene.camera.mouse_pan
    canvas.click(30, 20)
    assert isinstance(canvas.region(), At), "a click is a click with every tool"


@pytest.mark.slow
def test_a_lasso_follows_the_line(canvas: Canvas) -> None:
    canvas.controller.set_tool("lasso")
    canvas.drag((20, 10), (20, 50), (70, 30))
    region = canvas.region()
    assert isinstance(region, Polygon)
    pixels = region.pixels(np.zeros((96, 64), np.bool_))
    assert pixels[30, 30]
    assert not pixels[65, 12]
    assert abs(int(pixels.sum()) - 40 * 50 / 2) < 100


@pytest.mark.slow
def test_layers_with_a_tool_of_their_own_keep_the_mouse(canvas: Canvas) -> None:
    canvas.controller.set_tool("point")
    labels = canvas.viewer.add_labels(np.zeros((4, 96, 64), np.uint8), scale=(1, 2, 2))
    labels.mode, labels.brush_size = "paint", 5
    canvas.click(30, 20)
    assert labels.data.any(), "the click has painted"
    assert canvas.controller.asked is None
    canvas.controller.set_tool("box")
    assert labels.mode == "pan_zoom", "a tool that is turned on takes the mouse"
    painted = labels.data.copy()
    canvas.drag((20, 10), (40, 30), (60, 50))
    assert isinstance(canvas.region(), Box)
    np.testing.assert_array_equal(labels.data, painted)


@pytest.mark.slow
def test_in_a_turned_and_transposed_view_the_place_under_the_mouse_is_meant(canvas: Canvas) -> None:
    image = canvas.session.image
    assert image is not None
    canvas.controller.set_tool("box")
    canvas.viewer.dims.order = (0, 2, 1)
    canvas.viewer.reset_view()
    canvas.drag((20, 10), (40, 30), (60, 50))
    region = canvas.region()
    assert isinstance(region, Box)
    assert near((region.top, region.left, region.bottom - 1, region.right - 1), (20, 10, 60, 50))
    canvas.viewer.dims.order = (0, 1, 2)
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]]
    image.rotate = turn
    canvas.viewer.reset_view()
    canvas.click(40, 30)
    at = canvas.region()
    assert isinstance(at, At)
    assert near((at.row, at.column), (40, 30))
    canvas.drag((30, 20), (40, 30), (60, 40))
    turned = canvas.region()
    assert isinstance(turned, Polygon), "a rectangle on the canvas is no box of rows and columns"
    assert len(turned.corners) == 4
    assert near(turned.corners[0], (30, 20), 1.5)
    assert near(turned.corners[2], (60, 40), 1.5)


def test_a_volume_has_no_places(canvas: Canvas) -> None:
    canvas.controller.set_tool("point")
    canvas.viewer.dims.ndisplay = 3
    canvas.click(30, 20)
    assert canvas.controller.asked is None
    assert canvas.viewer.status == "To explain a place, show single frames in the 2-D view first."
    canvas.viewer.dims.ndisplay = 2
