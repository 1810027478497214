"""Diameters of an outline: the longest one, and the longest one across it.

They are the two diameters of RECIST 1.1 (Eisenhauer et al. 2009, Eur J Cancer 45:228–247) and of the WHO criteria: the
longest line between two points of the outline, and the longest one perpendicular to it. Both are exact for the given
outline, and perpendicular in millimeters, not in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.measuring.outline import Pieces, convex_hull
from napari_segcam.measuring.pixel_size import PixelSize

Point = tuple[float, float]  # row and column; the center of a pixel is at whole numbers

_TIE = 1e-9  # of the longest length: shorter differences are rounding


@dataclass(frozen=True)
class Diameter:
    """A straight line between two points of an outline.

    Attributes:
        length: in the unit of the pixel size.
        start: row and column of one end.
        end: row and column of the other end.
    """

    length: float
    start: Point
    end: Point


def longest_diameter(outline: Pieces, pixel_size: PixelSize) -> Diameter:
    """Return the longest diameter of an outline ``(N, 2, 2)``.

    It joins two corners of the convex hull, so all pairs of these are compared.
    """
    corners = convex_hull(pixel_size.scaled(outline))
    squares = ((corners[:, None] - corners[None]) ** 2).sum(2)
    first, second = np.unravel_index(int(squares.argmax()), squares.shape)
    return _diameter(corners[first], corners[second], pixel_size)


def longest_across(outline: Pieces, along: tuple[Point, Point], pixel_size: PixelSize) -> Diameter:
    """Return the longest diameter across a line: perpendicular to it in the unit of length, both ends on the outline.

    The width of an outline at one place of the line is the distance between its outermost points there. Between two
    corners of the outline it changes linearly, so it is greatest at a corner, and is compared at all of them. Of equal
    ones, the one nearest to the middle of the line is returned.

    Args:
        outline: ``(N, 2, 2)``.
        along: the two ends of the line, in rows and columns.
        pixel_size: of the frame.

    Raises:
        ValueError: if the line has no length, and so no direction.
    """
    start, end = pixel_size.scaled(along)
    length = float(np.hypot(*(end - start)))
    if not length:
        raise ValueError("a line without length has no direction")
    direction = (end - start) / length
    across = np.array([-direction[1], direction[0]])
    corners = pixel_size.scaled(outline) - start
    along_line = (corners @ direction).reshape(-1, 2)
    beside_line = (corners @ across).reshape(-1, 2)
    places, low, high = _width_at_corners(along_line, beside_line)
    widths = high - low
    best = np.flatnonzero(widths >= widths.max() - _TIE * max(float(widths.max()), length))
    chosen = best[np.abs(places[best] - length / 2).argmin()]
    foot = start + places[chosen] * direction
    return _diameter(foot + low[chosen] * across, foot + high[chosen] * across, pixel_size)


def _width_at_corners(
    along: NDArray[np.float64], beside: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the places of all corners along the line, and the outermost points of the outline on both sides there."""
    places = np.unique(along)
    low, high = np.full(len(places), np.inf), np.full(len(places), -np.inf)
    first = np.searchsorted(places, along.min(1), "left")
    counts = np.searchsorted(places, along.max(1), "right") - first  # the corners that each piece passes
    piece = np.repeat(np.arange(len(along)), counts)
    place = np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts) + first[piece]
    step = along[piece, 1] - along[piece, 0]
    is_upright = step == 0
    share = np.where(is_upright, 0.0, (places[place] - along[piece, 0]) / np.where(is_upright, 1.0, step))
    heights = beside[piece, 0] + share * (beside[piece, 1] - beside[piece, 0])
    np.minimum.at(low, place, np.where(is_upright, beside[piece].min(1), heights))
    np.maximum.at(high, place, np.where(is_upright, beside[piece].max(1), heights))
    return places, low, high


def _diameter(start: NDArray[np.float64], end: NDArray[np.float64], pixel_size: PixelSize) -> Diameter:
    (row_0, column_0), (row_1, column_1) = pixel_size.in_pixels([start, end]).tolist()
    return Diameter(float(np.hypot(*(end - start))), (row_0, column_0), (row_1, column_1))
