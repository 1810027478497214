"""Resampling: what a Labels layer shows on the frames of an image, wherever napari draws the two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pint
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError


def refuse_unfit(labels: Labels, image: Image) -> None:
    """Refuse a Labels layer that has more axes than the image, since it is not clear which of its planes is meant.

    Raises:
        SegcamError: in words for the user.
    """
    if labels.ndim > image.ndim:
        what = "a still" if image.ndim == 2 else "a cine"
        raise SegcamError(
            f"{labels.name} has {labels.ndim} axes, but {image.name} is {what} with {image.ndim}. "
            "Paint the region in a Labels layer that has as many axes or fewer."
        )


def labels_on_frame(viewer: ViewerModel, labels: Labels, image: Image, frame: int) -> NDArray[Any]:
    """The labels ``(Y, X)`` that lie on each pixel of a frame, the nearest ones; 0 where the layer does not reach.

    Scale, translation, rotation, shear and units are taken into account, as napari draws them. A layer with fewer axes
    lies on every frame.

    Args:
        viewer: that shows both.
        labels: with no more axes than the image.
        image: a still or a cine.
        frame: its number.
    """
    rows, columns = image.data.shape[image.ndim - 2 : image.ndim]
    matrix, origin = _to_labels(viewer, labels, image)
    at_row, at_column = np.arange(rows), np.arange(columns)
    start = origin + (matrix[:, 0] * frame if image.ndim > 2 else 0)
    data = labels.data[0] if labels.multiscale else labels.data
    # Whole to a millionth of a pixel: a pixel's border falls on the same side as napari's.
    places = [
        np.floor(np.round(start[axis] + matrix[axis, -2] * at_row[:, None] + matrix[axis, -1] * at_column, 6) + 0.5)
        for axis in range(labels.ndim)
    ]
    inside = np.ones((rows, columns), bool)
    for place, length in zip(places, data.shape, strict=True):
        inside &= (place >= 0) & (place < length)
    found = np.zeros((rows, columns), data.dtype)
    if not inside.any():
        return found
    index = [place[inside].astype(np.intp) for place in places]
    if labels.ndim == 3 and (index[0] == index[0][0]).all():
        found[inside] = np.asarray(data[int(index[0][0])])[index[1], index[2]]
    else:
        found[inside] = np.asarray(data)[tuple(index)]
    return found


def _to_labels(viewer: ViewerModel, labels: Labels, image: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places of an image's pixels in those of a Labels layer: ``matrix @ place + origin``."""
    ndim = image.ndim
    corners = [np.zeros(ndim), *np.eye(ndim)]
    of_image, of_labels = _units_per_world(viewer, image), _units_per_world(viewer, labels)
    found = []
    for corner in corners:
        world = np.asarray(image.data_to_world(corner)) / of_image
        found.append(np.asarray(labels.world_to_data(world[-labels.ndim :] * of_labels)))
    origin = found[0]
    return np.stack([place - origin for place in found[1:]], axis=1), origin


def _units_per_world(viewer: ViewerModel, layer: Layer) -> NDArray[np.float64]:
    """How many of a layer's units one unit of the viewer's world is, for each axis; 1 where napari does not convert."""
    world = getattr(viewer.dims, "units", None)
    if world is None or len(world) < layer.ndim:
        return np.ones(layer.ndim)
    registry = pint.get_application_registry()
    ratios = [
        registry.get_base_units(of_world)[0] / registry.get_base_units(of_layer)[0]
        for of_world, of_layer in zip(world[-layer.ndim :], layer.units, strict=True)
    ]
    return np.array(ratios, dtype=float)
