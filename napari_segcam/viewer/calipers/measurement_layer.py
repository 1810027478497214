"""The Shapes layer of one image's measurements: lines with their values beside them, each in its own frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Shapes
from numpy.typing import NDArray

from napari_segcam.measuring.diameters import Point
from napari_segcam.viewer.layers.placement import OURS, Placement
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.napari_internals.text_halo import add_text_halo
from napari_segcam.viewer.responsiveness.garbage_collection import without_gc_pause

COLOR, CHOSEN_COLOR, SUGGESTED_COLOR = "#4de8ff", "#ffe600", "#b8f0a0"
_CASING = "black"
_WIDTH = 1 / 350  # of a line, as a share of the frame's shorter side
_TICK = 1 / 55  # length of the mark at an end
_GAP = 1 / 22  # between a line and its text
_SIDE = 0.28  # of the frame's width: texts are not centered nearer to its sides, where they would be cut off
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
        """Draw these measurements, with this frame in view."""
        if tuple(drawings) != self._drawings or (drawings and self.layer is None):
            self._drawings = tuple(drawings)
            if self._drawings and self.layer is None:
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
        """Show the layer even if the user has hidden it before, since something new is drawn."""
        self._is_enabled = True

    def let_go(self) -> None:
        """Leave the layer to the user as a layer of their own, after its image was removed."""
        if self._layer is not None:
            self._layer.metadata.pop(OURS, None)

    @property
    def _aspect(self) -> float:
        """Height of a pixel divided by its width, as it is drawn."""
        rows, columns = self._image.scale[-2:]
        return float(rows / columns)

    def _add_layer(self) -> None:
        image = self._image
        layer = Shapes(
            ndim=image.ndim,
            name=f"{image.name} measurements",
            opacity=1,
            metadata={OURS: {"image": image.unique_id}},
            **self._placement.transform((1, 1), (0, 0)),
            **self._placement.names(),
        )
        self._placement.lay(layer, (1, 1), (0, 0))
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
        side = min(self._image.data.shape[self._image.ndim - 2 : self._image.ndim])
        width = max(1.0, side * _WIDTH)
        for drawing, place in zip(self._drawings, self._label_places(), strict=True):
            paths = [_with_ticks(line, side * _TICK, self._aspect) for line in drawing.lines]
            paths += [np.array([*drawing.closed, drawing.closed[0]])] if drawing.closed else []
            thickness = width * (0.6 if drawing.is_faint else 1.0)
            for casing, color in ((2.2 * thickness, _CASING), (thickness, drawing.color)):
                shapes += [("path", self._in_frame(drawing.frame, path), casing, color, "") for path in paths]
            anchor = np.stack([place, place + np.array([0.0, 0.01])])
            shapes.append(("line", self._in_frame(drawing.frame, anchor), 0.01, "transparent", drawing.label))
        layer.text = {
            "string": {"constant": ""},
            "color": {"constant": "white"},
        }  # none while there are shapes without a text
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

    def _in_frame(self, frame: int, points: NDArray[np.float64]) -> NDArray[np.float64]:
        lead = self._image.ndim - 2
        return np.hstack([np.full((len(points), lead), float(frame)), points])

    def _label_places(self) -> list[NDArray[np.float64]]:
        """Return the center of each text: below its lines, or above where there is no room, and not over another."""
        rows, columns = self._image.data.shape[self._image.ndim - 2 : self._image.ndim]
        gap = min(rows, columns) * _GAP
        taken: list[tuple[int, NDArray[np.float64]]] = []
        for drawing in self._drawings:
            points = np.array([point for line in drawing.lines for point in line] + list(drawing.closed))
            if not len(points):
                points = np.array([[rows * 0.08, columns / 2]])
            lines = drawing.label.count("\n") + 1
            low, high = points[:, 0].max() + gap * (0.5 + lines / 2), points[:, 0].min() - gap * (0.5 + lines / 2)
            row = low if low < rows - gap else max(high, gap)
            column = float(np.clip(points[:, 1].mean(), columns * _SIDE, columns * (1 - _SIDE)))
            place = np.array([row, column])
            while any(frame == drawing.frame and _overlap(place, other, gap, columns) for frame, other in taken):
                place[0] += gap
            taken.append((drawing.frame, place))
        return [place for _, place in taken]

    def _on_visible(self, _event: Any) -> None:
        if not self._is_busy and self._layer is not None:
            self._is_enabled = bool(self._layer.visible)


def _overlap(first: NDArray[np.float64], second: NDArray[np.float64], gap: float, columns: int) -> bool:
    return bool(abs(first[0] - second[0]) < 1.9 * gap and abs(first[1] - second[1]) < columns * _SIDE)


def _with_ticks(line: tuple[Point, Point], length: float, aspect: float) -> NDArray[np.float64]:
    """Return a path along a line that has a short mark across it at both ends, at a right angle on the canvas."""
    start, end = np.array(line[0], float), np.array(line[1], float)
    step = (end - start) * (aspect, 1)
    size = float(np.hypot(*step))
    across = np.array([-step[1] / aspect, step[0]]) / size if size else np.array([0.0, 1.0])
    across *= length / 2
    return np.array([start - across, start + across, start, end, end + across, end - across])
