"""The outline of the scan: what the network is shown, drawn over the image."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Shapes
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.layers.placement import OURS


class ScanOutline:
    """The Shapes layer of one image's scan region, while there is one."""

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        self._viewer = viewer
        self._image = image
        self._layer: Shapes | None = None
        for event in ("scale", "translate", "rotate", "shear", "affine"):
            getattr(image.events, event).connect(self._follow)

    def show(self, vertices: NDArray[np.float64], name: str) -> None:
        """Draw a polygon.

        Args:
            vertices: ``(N, 2)`` rows and columns in frame pixels.
            name: of the layer.
        """
        self.remove()
        selected = set(self._viewer.layers.selection)
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
        self._viewer.layers.selection = selected

    def remove(self) -> None:
        """Draw nothing."""
        if self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def _follow(self) -> None:
        if self._layer is not None:
            self._layer.affine = self._to_world()

    def _to_world(self) -> NDArray[np.float64]:
        """The image's transform of rows and columns alone, ``(3, 3)``."""
        lead = (0.0,) * (self._image.ndim - 2)
        origin, row, column = (
            np.asarray(self._image.data_to_world((*lead, *at)))[-2:] for at in ((0, 0), (1, 0), (0, 1))
        )
        to_world = np.eye(3)
        to_world[:2] = np.stack([row - origin, column - origin, origin], axis=1)
        return to_world


def drawn_on(shapes: Shapes, image: Image) -> NDArray[np.float64]:
    """The corners of what the user has drawn in a Shapes layer, in frame pixels ``(N, 2)``.

    Raises:
        SegcamError: if nothing has been drawn.
    """
    if not len(shapes.data):
        raise SegcamError(f"Nothing is drawn in {shapes.name}. Draw a rectangle or a polygon around the scan.")
    corners = []
    for corner in shapes.data[-1]:
        world = np.zeros(image.ndim)
        in_world = np.asarray(shapes.data_to_world(corner))[-image.ndim :]
        world[-len(in_world) :] = in_world
        corners.append(np.asarray(image.world_to_data(world))[-2:])
    return np.array(corners)
