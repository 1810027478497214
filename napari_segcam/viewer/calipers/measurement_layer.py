"""The Shapes layer of one image's measurements: lines with their values beside them, each in its own frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Shapes
from numpy.typing import NDArray

from napari_segcam.measuring.diameters import Point
from napari_segcam.viewer.calipers.label_places import label_places
from napari_segcam.viewer.layers.placement import OURS, Placement
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.napari_internals.text_halo import add_text_halo
from napari_segcam.viewer.responsiveness.garbage_collection import without_gc_pause

COLOR, CHOSEN_COLOR, SUGGESTED_COLOR = "#4de8ff", "#ffe600", "#b8f0a0"
_CASING = "black"
_WIDTH = 1 / 350  # of a line, as a share of the frame's shorter side
_TICK = 1 / 55  # length of the mark at an end
_TEXT_SIZE = 10


@dataclass(frozen=True)
class Drawing:
    """A measurement as it is drawn.

    Attributes:
        frame: its number.
        lines: the two ends of each straight line.
        closed: points along a closed line.
        label: the text beside it.
        color: of lines and text.
        is_faint: whether it is only suggested.
    """

    frame: int
    lines: tuple[tuple[Point, Point], ...]
    closed: tuple[Point, ...]
    label: str
    color: str = COLOR
    is_faint: bool = False


class MeasurementLayer:
    """The layer exists once there is something to draw; where a frame has no measurements, it is hidden, to save time.

    Args:
        viewer: that shows the image.
        image: that is measured.
    """

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        self._viewer = viewer
        self._image = image
        self._placement = Placement(image)
        rows, columns = image.scale[-2:]
        self._row_scale = float(rows / columns)  # in the layer's own pixels lines are as thick in all directions
        self._layer: Shapes | None = None
        self._drawings: tuple[Drawing, ...] = ()
        self._is_enabled = True  # by the user
        self._is_busy = False

    @property
    def layer(self) -> Shapes | None:
        """The layer, while it is in the viewer."""
        return self._layer if self._layer in self._viewer.layers else None

    @property
    def is_seen(self) -> bool:
        """Whether measurements of the frame in view are drawn."""
        layer = self.layer
        return layer is not None and bool(layer.visible) and layer.opacity > 0

    def show(self, drawings: Sequence[Drawing], frame: int) -> None:
        """Draw these measurements, with this frame in view; a layer that was removed stays away until ``reveal``."""
        if tuple(drawings) != self._drawings or (drawings and self._layer is None):
            self._drawings = tuple(drawings)
            if self._drawings and self._layer is None:
                with without_gc_pause():
                    self._add_layer()
            if self.layer is not None:
                self._draw(self.layer)
        self.look_at(frame)

    def look_at(self, frame: int) -> None:
        """Show the layer if this frame has measurements, else hide it."""
        layer = self.layer
        if layer is not None:
            self._is_busy = True
            layer.visible = self._is_enabled and any(drawing.frame == frame for drawing in self._drawings)
            self._is_busy = False

    def reveal(self) -> None:
        """Show the layer even if the user has hidden or removed it before, since something new is drawn."""
        self._is_enabled = True
        if self.layer is None:
            self._layer = None

    def let_go(self) -> None:
        """Leave the layer to the user as a layer of their own, after its image was removed."""
        if self._layer is not None:
            self._layer.metadata.pop(OURS, None)

    @property
    def _stretch(self) -> tuple[float, float]:
        """Height and width of the layer's own pixels, in pixels of the frame."""
        return 1 / self._row_scale, 1.0

    def _add_layer(self) -> None:
        image = self._image
        layer = Shapes(
            ndim=image.ndim,
            name=f"{image.name} measurements",
            opacity=1,
            metadata={OURS: {"image": image.unique_id}},
            **self._placement.transform(self._stretch, (0, 0)),
            **self._placement.names(),
        )
        self._placement.lay(layer, self._stretch, (0, 0))
        defer_slicing(layer)
        layer.events.visible.connect(self._on_visible)
        with keep_selection(self._viewer.layers):
            self._viewer.add_layer(layer)
        layer.editable = False  # ends are dragged by the plugin's own mouse, which keeps right angles
        add_text_halo(self._viewer, layer)
        self._layer = layer

    def _draw(self, layer: Shapes) -> None:
        """Write all drawings into the layer."""
        shapes: list[tuple[str, NDArray[np.float64], float, str, str]] = []
        rows, columns = self._image.data.shape[self._image.ndim - 2 : self._image.ndim]
        shape = rows * self._row_scale, float(columns)
        width = max(1.0, min(shape) * _WIDTH)
        outlines = [
            (drawing.frame, self._own_pixels([*chain.from_iterable(drawing.lines), *drawing.closed]), drawing.label)
            for drawing in self._drawings
        ]
        for drawing, place in zip(self._drawings, label_places(outlines, shape), strict=True):
            paths = [_with_ticks(self._own_pixels(line), min(shape) * _TICK) for line in drawing.lines]
            paths += [self._own_pixels([*drawing.closed, drawing.closed[0]])] if drawing.closed else []
            thickness = width * (0.6 if drawing.is_faint else 1.0)
            for casing, color in ((2.2 * thickness, _CASING), (thickness, drawing.color)):
                shapes += [("path", self._in_frame(drawing.frame, path), casing, color, "") for path in paths]
            anchor = np.stack([place, place + np.array([0.0, 0.01])])
            shapes.append(("line", self._in_frame(drawing.frame, anchor), 0.01, "transparent", drawing.label))
        # no text while there are shapes without one
        layer.text = {"string": {"constant": ""}, "color": {"constant": "white"}}
        layer.data = []
        if not shapes:
            return
        layer.add(
            [points for _, points, *_ in shapes],
            shape_type=[kind for kind, *_ in shapes],
            edge_width=[width for _, _, width, *_ in shapes],
            edge_color=[color for *_, color, _ in shapes],
            face_color="transparent",
        )
        text_colors = [
            drawing.color
            for drawing in self._drawings
            for _ in range(2 * (len(drawing.lines) + bool(drawing.closed)) + 1)
        ]
        layer.text = {
            "string": [label for *_, label in shapes],
            "color": text_colors,
            "size": _TEXT_SIZE,
            "anchor": "center",
        }
        layer.selected_data = set()

    def _own_pixels(self, points: Sequence[Point]) -> NDArray[np.float64]:
        return np.asarray(points, float).reshape(-1, 2) * (self._row_scale, 1)

    def _in_frame(self, frame: int, points: NDArray[np.float64]) -> NDArray[np.float64]:
        lead = self._image.ndim - 2
        return np.hstack([np.full((len(points), lead), float(frame)), points])

    def _on_visible(self, _event: Any) -> None:
        if not self._is_busy and self._layer is not None:
            self._is_enabled = bool(self._layer.visible)


def _with_ticks(line: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """Return a path along a line ``(2, 2)`` that has a short mark across it at both ends."""
    start, end = line
    step = end - start
    size = float(np.hypot(*step))
    across = np.array([-step[1], step[0]]) / size if size else np.array([0.0, 1.0])
    across *= length / 2
    return np.array([start - across, start + across, start, end, end + across, end - across])
