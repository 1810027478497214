"""The Labels layer of the burned-in graphics, which the user corrects by painting, and the points of calipers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Points
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_segcam.viewer.layers.labels_on_image import add_labels, frame_of, on_painted
from napari_segcam.viewer.layers.placement import OURS, Placement

_COLOR = "#ff4fd8"  # no class, outline or heat has it
_SHARE = 1 / 40  # size of a point on the screen's picture, of the frame's shorter side


class GraphicsLayer:
    """The layers of one image that say where graphics are, and where calipers go; each exists once it is needed.

    Args:
        viewer: that shows the image.
        image: the graphics are burned into it.
        on_change: called when graphics or points have changed, or the layer was removed.
    """

    def __init__(self, viewer: ViewerModel, image: Image, on_change: Callable[[], None]) -> None:
        self._viewer, self._image, self._on_change = viewer, image, on_change
        self.placement = Placement(image)
        self._labels: Labels | None = None
        self._points: Points | None = None
        self._found: dict[int, NDArray[np.bool_]] = {}

    @property
    def labels(self) -> Labels | None:
        """The layer of graphics; None if there is none, or the user has removed it."""
        return self._labels if self._labels in self._viewer.layers else None

    @property
    def points_layer(self) -> Points | None:
        """The layer of the calipers' places; None if there is none, or the user has removed it."""
        return self._points if self._points in self._viewer.layers else None

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        rows, columns = self._image.data.shape[self._image.ndim - 2 : self._image.ndim]
        return int(rows), int(columns)

    def mask(self, frame: int) -> NDArray[np.bool_]:
        """Return a copy of the graphics of a frame, ``(Y, X)``."""
        labels = self.labels
        return np.zeros(self.frame_shape, bool) if labels is None else frame_of(labels, frame) > 0

    def show(self, frame: int, mask: NDArray[np.bool_]) -> None:
        """Show these graphics of a frame, and no longer those found there before; what the user has painted stays."""
        labels = self.labels
        if labels is None:
            self._found = {}
            colormap = DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", 1: _COLOR})
            labels = self._labels = add_labels(
                self._viewer,
                self.placement,
                self.frame_shape,
                f"{self._image.name} burned-in graphics",
                colormap,
                lambda: None,
                by_reader=True,
            )
            labels.contour, labels.opacity = 0, 0.6  # strokes are too thin for an outline
            labels.selected_label = 1
            on_painted(labels, lambda _frames: self._on_change())
        pixels = frame_of(labels, frame) > 0
        is_painted = pixels.any() and (pixels != self._found.get(frame, False)).any()
        self._found[frame] = mask | pixels if is_painted else mask
        frame_of(labels, frame)[...] = self._found[frame]
        labels.visible = True
        labels.refresh(extent=False)

    def ask_for_points(self) -> None:
        """Let the user click where calipers go: the layer of points is selected, and each click adds one."""
        points = self.points_layer
        if points is None:
            points = self._points = Points(
                ndim=self._image.ndim,
                name=f"{self._image.name} calipers",
                symbol="cross",
                size=max(4.0, min(self.frame_shape) * _SHARE),
                face_color=_COLOR,
                border_color="transparent",
                metadata={OURS: {"image": self._image.unique_id}},
                **self.placement.transform((1, 1), (0, 0)),
                **self.placement.names(),
            )
            self.placement.lay(points, (1, 1), (0, 0))
            self._viewer.add_layer(points)
            points.events.data.connect(lambda _event: self._on_change())
        points.visible = True
        self._viewer.layers.selection.active = points
        points.mode = "add"

    def points(self, frame: int) -> NDArray[np.float64]:
        """Return the places of calipers in a frame, ``(N, 2)`` rows and columns, without those beside the frame."""
        layer = self.points_layer
        data = np.zeros((0, self._image.ndim)) if layer is None else np.asarray(layer.data, float)
        if self._image.ndim > 2:
            data = data[np.rint(data[:, 0]) == frame]
        places = data[:, -2:]
        rows, columns = self.frame_shape
        inside = (places >= 0).all(1) & (places[:, 0] < rows) & (places[:, 1] < columns)
        return places[inside]

    def clear_points(self) -> None:
        """Remove all places of calipers."""
        if self.points_layer is not None:
            self.points_layer.data = np.zeros((0, self._image.ndim))
