"""The mouse of the calipers: it drags ends, and draws while a tool is on."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject, Qt, QTimer

from napari_segcam.measuring.diameters import Point
from napari_segcam.measuring.drawn import distance
from napari_segcam.measuring.words import length_words
from napari_segcam.viewer.calipers.caliper_sketch import CaliperSketch
from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.calipers.drawings import Handle
from napari_segcam.viewer.click.shapes import frame_position, pixel_at
from napari_segcam.viewer.layers.placement import shows_frames
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.review.session import ReviewSession

_REACH = 9  # canvas pixels from an end, within which the mouse takes it
_CLICK_REACH = 4  # canvas pixels that the mouse may move during a click


class CaliperMouse(QObject):
    """Follows the mouse on a viewer's canvas while no layer's own tool is in use.

    An end of a measurement can be dragged at any time. While a tool is on, two clicks or a drag draw.

    Args:
        session: whose chosen image is measured.
        controller: of the calipers; also the Qt parent.
    """

    def __init__(self, session: ReviewSession, controller: CalipersController) -> None:
        super().__init__(controller)
        self._session, self._controller = session, controller
        self._viewer = viewer = session.viewer
        self._sketch: CaliperSketch | None = None
        self._start: tuple[Point, Any] | None = None  # the first click: in the frame, and on the canvas
        self._is_sketched = False
        self._is_over_end = False
        self._has_cursor = False
        canvas = canvas_of(viewer)
        if canvas is not None:
            canvas.installEventFilter(self)
        own = weakref.ref(self)

        def on_drag(_viewer: ViewerModel, event: Any) -> Iterator[None]:
            mouse = own()
            if mouse is not None:  # the session may have ended
                yield from mouse.follow_drag(event)

        def on_move(_viewer: ViewerModel, event: Any) -> None:
            mouse = own()
            if mouse is not None:
                mouse.follow_move(event)

        viewer.mouse_drag_callbacks.append(on_drag)
        viewer.mouse_move_callbacks.append(on_move)
        controller.destroyed.connect(lambda: _remove(viewer, on_drag, on_move))
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._follow_tool)
        controller.changed.connect(self._follow_tool)
        session.frame_changed.connect(lambda _frame: self.stop_drawing())
        viewer.layers.selection.events.active.connect(
            lambda _event: self._later.start()
        )  # napari sets its cursor first

    @property
    def acts(self) -> bool:
        """Whether the mouse can measure: a frame of an image is shown, and no layer's own tool is in use."""
        active: Any = self._viewer.layers.selection.active
        is_free = active is None or active.mode == "pan_zoom"
        return is_free and self._session.image is not None and shows_frames(self._viewer)

    def pixel(self) -> tuple[int, int] | None:
        """Return the pixel of the chosen image under the cursor; None beside it."""
        image = self._session.image
        return None if image is None else pixel_at(image, self._viewer.cursor.position)

    def stop_drawing(self) -> bool:
        """Forget the first click; return whether there was one."""
        was_drawing, self._start = self._start is not None, None
        if self._sketch is not None and self._is_sketched:
            self._is_sketched = False
            self._sketch.clear()
        return was_drawing

    def leave(self) -> bool:
        """Drop what is being drawn, else the suggested line, else turn the tool off; return whether there was one."""
        if self.stop_drawing() or self._controller.drop_suggestion():
            return True
        was_on = self._controller.tool is not None
        if was_on:
            self._controller.set_tool(None)
        return was_on

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Take Esc and Enter on the canvas, where the calipers have a use for them."""
        if event.type() != QEvent.Type.KeyPress or not self.acts:
            return False
        if event.key() == Qt.Key.Key_Escape:
            return self.leave()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._controller.suggestion is not None:
            self._controller.keep_suggestion()
            return True
        return False

    def follow_drag(self, event: Any) -> Iterator[None]:
        """Follow the mouse from a press to its release."""
        if event.button != 1 or event.modifiers or not self.acts:
            return
        handle = None if self._start is not None else self._handle_at(event)
        if handle is None and self._controller.tool is None:
            return
        camera = self._viewer.scene.camera
        could_pan, camera.mouse_pan = camera.mouse_pan, False
        try:
            yield from self._drag_end(handle, event) if handle is not None else self._draw(event)
        finally:
            camera.mouse_pan = could_pan

    def follow_move(self, event: Any) -> None:
        """Follow the mouse while no button is pressed: the line from the first click, and the cursor over an end."""
        if self._start is not None and self.acts:
            start, canvas_start = self._start
            self._sketch_line([canvas_start, event.pos], self._length(start, self._position(event)))
            return
        self._is_over_end = self.acts and self._handle_at(event) is not None
        self._show_cursor()

    def _drag_end(self, handle: Handle, event: Any) -> Iterator[None]:
        has_moved = False
        try:
            yield
            while event.type == "mouse_move":
                has_moved = True
                self._controller.drag(handle, self._position(event))
                yield
        finally:
            if has_moved:
                self._controller.drop()
        if not has_moved:
            self._controller.choose(handle.identity)

    def _draw(self, event: Any) -> Iterator[None]:
        tool = self._controller.tool
        pressed, canvas_pressed = self._position(event), np.array(event.pos)
        points, canvas_points = [pressed], [canvas_pressed]
        yield
        while event.type == "mouse_move":
            points.append(self._position(event))
            canvas_points.append(np.array(event.pos))
            if tool == "outline":
                self._sketch_line(canvas_points)
            elif self._start is None:
                self._sketch_line([canvas_pressed, canvas_points[-1]], self._length(pressed, points[-1]))
            yield
        is_click = max(float(np.abs(point - canvas_pressed).max()) for point in canvas_points) <= _CLICK_REACH
        start = self._start
        if tool == "outline":
            self.stop_drawing()
            self._controller.trace(points)
        elif start is not None:
            self.stop_drawing()
            self._controller.draw(start[0], points[-1])
        elif is_click:
            self._start = pressed, canvas_pressed
        else:
            self.stop_drawing()
            self._controller.draw(pressed, points[-1])

    def _handle_at(self, event: Any) -> Handle | None:
        """Return the end under the mouse, the nearest one within reach."""
        handles, image = self._controller.handles(), self._session.image
        if not handles or image is None:
            return None
        lead = image.ndim - 2
        displayed = list(self._viewer.dims.displayed)
        mouse = np.array(event.position)[displayed]
        frame = self._session.current_frame()
        zoom = float(self._viewer.scene.camera.zoom)
        best: tuple[float, Handle] | None = None
        for handle in handles:
            world = np.asarray(image.data_to_world((*(frame,) * lead, *handle.point)))
            reach = float(np.hypot(*(world[-2:] - mouse[-2:]))) * zoom
            if reach <= _REACH and (best is None or reach < best[0] - 1e-6):
                best = reach, handle
        return None if best is None else best[1]

    def _position(self, event: Any) -> Point:
        image = self._session.image
        assert image is not None
        return frame_position(image, event.position)

    def _sketch_line(self, points: list[Any], words: str = "") -> None:
        canvas = canvas_of(self._viewer)
        if canvas is not None:
            self._sketch = self._sketch or CaliperSketch(canvas)
            self._sketch.draw_length(points, words)
            self._is_sketched = True

    def _length(self, start: Point, end: Point) -> str:
        pixel_size = self._controller.pixel_size
        return "" if pixel_size is None else length_words(distance(start, end, pixel_size), pixel_size.unit)

    def _follow_tool(self) -> None:
        if self._controller.tool is None:
            self.stop_drawing()
        self._show_cursor()

    def _show_cursor(self) -> None:
        style = (
            "pointing" if self._is_over_end else "cross" if self._controller.tool is not None and self.acts else None
        )
        if style is not None:
            self._viewer.cursor.style, self._has_cursor = style, True
        elif self._has_cursor:
            self._has_cursor = False
            active: Any = self._viewer.layers.selection.active
            self._viewer.cursor.style = "standard" if active is None else active.cursor


def _remove(viewer: ViewerModel, on_drag: Any, on_move: Any) -> None:
    for callbacks, callback in ((viewer.mouse_drag_callbacks, on_drag), (viewer.mouse_move_callbacks, on_move)):
        if callback in callbacks:
            callbacks.remove(callback)
