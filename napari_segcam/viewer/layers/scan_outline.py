"""The outline of the scan: the input region of the network, drawn over the image."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Shapes
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.layers.placement import OURS, connect_moves
from napari_segcam.viewer.layers.selection import keep_selection


class ScanOutline:
    """The Shapes layer that outlines the scan region of an image, while there is one."""

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        self._viewer = viewer
        self._image = image
        self._layer: Shapes | None = None
        connect_moves(image, self._follow)

    def show(self, vertices: NDArray[np.float64], name: str) -> None:
        """Draw a polygon.

        Args:
            vertices: ``(N, 2)`` rows and columns in frame pixels.
            name: of the layer.
        """
        self.remove()
        with keep_selection(self._viewer.layers):
            self._layer = self._viewer.add_shapes(
                [vertices],
                shape_type="polygon",
                edge_color="#ffd500",
                face_color="transparent",
                edge_width=max(1.0, min(self._image.data.shape[self._image.ndim - 2 : self._image.ndim]) / 250),
                opacity=0.7,
                name=name,
                affine=self._to_world(),
                units=self._image.units[-2:],
                axis_labels=self._image.axis_labels[-2:],
                metadata={OURS: {"image": self._image.unique_id}},
            )

    def remove(self) -> None:
        """Remove the outline."""
        if self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def _follow(self) -> None:
        if self._layer is not None:
            self._layer.affine = self._to_world()

    def _to_world(self) -> NDArray[np.float64]:
        """Return the image's transform of rows and columns, ``(3, 3)``."""
        lead = (0.0,) * (self._image.ndim - 2)
        origin, row, column = (
            np.asarray(self._image.data_to_world((*lead, *point)))[-2:] for point in ((0, 0), (1, 0), (0, 1))
        )
        to_world = np.eye(3)
        to_world[:2] = np.stack([row - origin, column - origin, origin], axis=1)
        return to_world


def drawn_on(shapes: Shapes, image: Image) -> NDArray[np.float64]:
    """Return the corners of the last shape in a Shapes layer, in frame pixels ``(N, 2)``.

    Raises:
        SegcamError: if nothing is drawn.
    """
    if not len(shapes.data):
        raise SegcamError(f"Nothing is drawn in {shapes.name}. Draw a rectangle or a polygon around the scan.")
    corners = []
    for corner in shapes.data[-1]:
        world = np.zeros(image.ndim)
        coordinates = np.asarray(shapes.data_to_world(corner))[-image.ndim :]
        world[-len(coordinates) :] = coordinates
        corners.append(np.asarray(image.world_to_data(world))[-2:])
    return np.array(corners)
