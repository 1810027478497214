"""The mouse of the tool: clicks, boxes and lassos on the canvas, while no layer's own tool is in use."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject, Qt, QTimer

from napari_segcam.viewer.click.click_controller import ClickController
from napari_segcam.viewer.click.sketch import Sketch
from napari_segcam.viewer.layers.placement import shows_frames
from napari_segcam.viewer.napari_internals.canvas import canvas_of

_CLICK_REACH = 4  # canvas pixels that the mouse may move during a click
_CURSOR = "cross"
ESCAPE_ACTION = "Return from an explained place to the mask, then end the tool"


class ClickMouse(QObject):
    """Follows the mouse on a viewer's canvas, and tells the controller what was clicked or drawn.

    A drag pans as usual while the tool is for clicks. With a modifier key, napari's own drags work.

    Args:
        viewer: whose canvas it is.
        controller: of the tool; also the Qt parent.
    """

    def __init__(self, viewer: ViewerModel, controller: ClickController) -> None:
        super().__init__(controller)
        self._viewer, self._controller = viewer, controller
        self._sketch: Sketch | None = None
        self._is_drawing = False
        self._has_cursor = False
        canvas = canvas_of(viewer)
        if canvas is not None:
            canvas.installEventFilter(self)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._show_cursor)
        own = weakref.ref(self)

        def on_drag(_viewer: ViewerModel, event: Any) -> Iterator[None]:
            mouse = own()
            if mouse is not None:  # the session may have ended
                yield from mouse.follow_drag(event)

        self._on_drag = on_drag
        viewer.mouse_drag_callbacks.append(on_drag)
        controller.destroyed.connect(lambda: _remove(viewer, on_drag))
        controller.changed.connect(self._show_cursor)
        # napari sets the cursor of the active layer first
        viewer.layers.selection.events.active.connect(self._show_cursor_later)
        viewer.dims.events.ndisplay.connect(self._show_cursor_later)

    @property
    def acts(self) -> bool:
        """Whether the tool has the mouse: it is on, a frame is shown, and no layer's own tool is in use."""
        return self._controller.tool is not None and self._is_free and shows_frames(self._viewer)

    @property
    def _is_free(self) -> bool:
        active: Any = self._viewer.layers.selection.active
        return active is None or active.mode == "pan_zoom"

    def stop_drawing(self) -> bool:
        """Drop what is being drawn; return whether there was anything."""
        was_drawing, self._is_drawing = self._is_drawing, False
        if self._sketch is not None:
            self._sketch.clear()
        return was_drawing

    def leave(self) -> bool:
        """Drop what is being drawn; else return to the mask; else turn the tool off. Return False if it is off."""
        if self.stop_drawing():
            return True
        if self._controller.is_asked:
            self._controller.back()
            return True
        was_on = self._controller.tool is not None
        self._controller.set_tool(None)
        return was_on

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Take the key Esc on the canvas, unless a layer's own tool is in use, for which napari has other uses."""
        is_escape = event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape
        return is_escape and self._is_free and self.leave()

    def follow_drag(self, event: Any) -> Iterator[None]:
        if self._controller.tool is None or event.button != 1 or event.modifiers or not self._is_free:
            return
        if not self.acts:
            self._viewer.status = "To explain a place, show single frames in the 2-D view first."
            return
        tool = self._controller.tool
        camera = self._viewer.scene.camera
        start, positions, points = np.array(event.pos), [event.position], [np.array(event.pos)]
        could_pan = camera.mouse_pan
        if tool != "point":
            camera.mouse_pan = False
            self._is_drawing = True
        try:
            yield
            while event.type == "mouse_move":
                positions.append(event.position)
                points.append(np.array(event.pos))
                self._draw(points)
                yield
        finally:
            camera.mouse_pan = could_pan
        points.append(np.array(event.pos))
        was_drawing = self.stop_drawing()
        if max(float(np.abs(point - start).max()) for point in points) <= _CLICK_REACH:
            self._controller.ask_at(positions[0])
        elif tool == "box" and was_drawing:
            self._controller.ask_box(positions[0], event.position)
        elif tool == "lasso" and was_drawing:
            self._controller.ask_lasso([*positions, event.position])

    def _draw(self, points: list[Any]) -> None:
        canvas = canvas_of(self._viewer)
        if not self._is_drawing or canvas is None:
            return
        if self._sketch is None:
            self._sketch = Sketch(canvas)
        if self._controller.tool == "box":
            self._sketch.draw_box(points[0], points[-1])
        else:
            self._sketch.draw_line(points)

    def _show_cursor_later(self, _event: Any = None) -> None:
        self._later.start()

    def _show_cursor(self) -> None:
        if self.acts:
            self._viewer.cursor.style, self._has_cursor = _CURSOR, True
        elif self._has_cursor:
            self._has_cursor = False
            active: Any = self._viewer.layers.selection.active
            self._viewer.cursor.style = "standard" if active is None else active.cursor


def _remove(viewer: ViewerModel, callback: Any) -> None:
    if callback in viewer.mouse_drag_callbacks:
        viewer.mouse_drag_callbacks.remove(callback)
