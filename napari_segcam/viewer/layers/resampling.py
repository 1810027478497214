"""Resampling: the labels of a Labels layer at the pixels of an image, as napari draws the two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pint
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError


def refuse_unfit(labels: Labels, image: Image) -> None:
    """Refuse a Labels layer with more axes than the image: it is not clear which of its planes is meant.

    Raises:
        SegcamError: if it has more axes.
    """
    if labels.ndim > image.ndim:
        kind = "a still" if image.ndim == 2 else "a cine"
        raise SegcamError(
            f"{labels.name} has {labels.ndim} axes, but {image.name} is {kind} with {image.ndim}. "
            "Paint the region in a Labels layer with at most as many axes as the image."
        )


def labels_on_frame(viewer: ViewerModel, labels: Labels, image: Image, frame: int) -> NDArray[Any]:
    """Return the nearest label at each pixel of a frame, ``(Y, X)``; 0 outside the layer.

    Scale, translation, rotation, shear and units are applied as napari draws them. A layer with fewer axes covers every
    frame.

    Args:
        viewer: that shows both.
        labels: with no more axes than the image.
        image: a still or a cine.
        frame: its number.
    """
    rows, columns = image.data.shape[image.ndim - 2 : image.ndim]
    matrix, origin = _to_labels(viewer, labels, image)
    row_numbers, column_numbers = np.arange(rows)[:, None], np.arange(columns)
    start = origin + (matrix[:, 0] * frame if image.ndim > 2 else 0)
    data = labels.data[0] if labels.multiscale else labels.data
    # Rounded to a millionth of a pixel, so that the border of a pixel is on the same side as in napari.
    coordinates = [
        np.floor(np.round(start[axis] + matrix[axis, -2] * row_numbers + matrix[axis, -1] * column_numbers, 6) + 0.5)
        for axis in range(labels.ndim)
    ]
    inside = np.ones((rows, columns), bool)
    for coordinate, length in zip(coordinates, data.shape, strict=True):
        inside &= (coordinate >= 0) & (coordinate < length)
    resampled = np.zeros((rows, columns), data.dtype)
    if not inside.any():
        return resampled
    index = [coordinate[inside].astype(np.intp) for coordinate in coordinates]
    if labels.ndim == 3 and (index[0] == index[0][0]).all():
        resampled[inside] = np.asarray(data[int(index[0][0])])[index[1], index[2]]
    else:
        resampled[inside] = np.asarray(data)[tuple(index)]
    return resampled


def _to_labels(viewer: ViewerModel, labels: Labels, image: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the transform from an image's pixels to those of a Labels layer: ``matrix @ pixel + origin``."""
    ndim = image.ndim
    corners = [np.zeros(ndim), *np.eye(ndim)]
    image_units, labels_units = _units_per_world(viewer, image), _units_per_world(viewer, labels)
    points = []
    for corner in corners:
        world = np.asarray(image.data_to_world(corner)) / image_units
        points.append(np.asarray(labels.world_to_data(world[-labels.ndim :] * labels_units)))
    origin = points[0]
    return np.stack([point - origin for point in points[1:]], axis=1), origin


def _units_per_world(viewer: ViewerModel, layer: Layer) -> NDArray[np.float64]:
    """Return how many of a layer's units one unit of the viewer's world is, per axis; 1 if napari does not convert."""
    world = getattr(viewer.dims, "units", None)
    if world is None or len(world) < layer.ndim:
        return np.ones(layer.ndim)
    registry = pint.get_application_registry()
    ratios = [
        registry.get_base_units(world_unit)[0] / registry.get_base_units(layer_unit)[0]
        for world_unit, layer_unit in zip(world[-layer.ndim :], layer.units, strict=True)
    ]
    return np.array(ratios, dtype=float)
