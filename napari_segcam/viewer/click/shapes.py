"""Shapes that the user draws on the canvas, as regions in the pixels of the frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

if TYPE_CHECKING:  # torch comes with it: it is imported when the user has loaded a network
    from napari_segcam.explanation.targets.region import At, Box, Polygon

Position = Sequence[float]  # in the world of the viewer

_DISK_SHARE = 1 / 40  # of the shorter side of a frame: what a network of any input size sees as a small place
_SMALLEST_DISK = 6
_MOST_CORNERS = 200


def frame_shape(image: Image) -> tuple[int, int]:
    """Return the rows and columns of an image layer's frames."""
    rows, columns = image.data.shape[image.ndim - 2 : image.ndim]
    return int(rows), int(columns)


def frame_position(image: Image, position: Position) -> tuple[float, float]:
    """Return where a position is in the frame, as (row, column); pixel centers are whole numbers."""
    row, column = np.asarray(image.world_to_data(position))[-2:]
    return float(row), float(column)


def pixel_at(image: Image, position: Position) -> tuple[int, int] | None:
    """Return the row and column at a position; None outside the frame."""
    row, column = (round(value) for value in frame_position(image, position))
    rows, columns = frame_shape(image)
    return (row, column) if 0 <= row < rows and 0 <= column < columns else None


def place(image: Image, row: int, column: int) -> At:
    """Return the region of a click."""
    from napari_segcam.explanation.targets.region import At

    return At(row, column, max(_SMALLEST_DISK, round(min(frame_shape(image)) * _DISK_SHARE)))


def box(viewer: ViewerModel, image: Image, start: Position, end: Position) -> Box | Polygon | None:
    """Return the region of a rectangle on the canvas, from one corner to the opposite one; None outside the frame.

    Where the image is turned on the canvas, it is a polygon of four corners.
    """
    from napari_segcam.explanation.targets.region import Box

    rows, columns = viewer.dims.displayed[-2:]
    ends = (start, end)
    corners = []
    for first, second in ((0, 0), (0, 1), (1, 1), (1, 0)):
        corner = list(start)
        corner[rows], corner[columns] = ends[first][rows], ends[second][columns]
        corners.append(frame_position(image, corner))
    points = np.array(corners)
    sides = np.abs(np.roll(points, -1, axis=0) - points)
    if (sides.min(1) > 1e-6 * max(1.0, float(sides.max()))).any():  # a side runs along neither rows nor columns
        return lasso(image, corners)
    low, high = points.min(0), points.max(0)
    # A pixel belongs to the box if its center does; a box between two centers holds the pixels it touches.
    top, left = (max(0, int(value)) for value in np.minimum(np.ceil(low), np.round(high)))
    shape = frame_shape(image)
    bottom, right = (
        min(length, int(value) + 1)
        for length, value in zip(shape, np.maximum(np.floor(high), np.round(low)), strict=True)
    )
    return Box(top, left, bottom, right) if top < bottom and left < right else None


def lasso(image: Image, points: Sequence[tuple[float, float]]) -> Polygon | None:
    """Return the region of a closed line in the frame; None if it holds no pixel."""
    from napari_segcam.explanation.targets.region import Polygon

    step = -(-len(points) // _MOST_CORNERS)
    corners = tuple((round(row, 1), round(column, 1)) for row, column in points[::step])
    if len(set(corners)) < 3:
        return None
    polygon = Polygon(corners)
    return polygon if polygon.pixels(np.zeros(frame_shape(image), np.bool_)).any() else None


def touches(region: At | Box | Polygon, image: Image, crop: tuple[slice, slice]) -> bool:
    """Return whether a region has pixels within these rows and columns; for a click, whether it is within them."""
    from napari_segcam.explanation.targets.region import At

    pixels = np.zeros(frame_shape(image), np.bool_)
    if isinstance(region, At):
        pixels[region.row, region.column] = True
    else:
        pixels = region.pixels(pixels)
    return bool(pixels[crop].any())
