"""The perimeter of a mask, by counting how often lines in many directions enter and leave it."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_segcam.measuring.pixel_size import PixelSize

_REACH = 2.5  # longest step along a line, in the longer side of a pixel: eight directions where pixels are square
_MOST = 24  # longest step in pixels


def perimeter(mask: NDArray[np.bool_], pixel_size: PixelSize) -> float:
    """Return the length of the boundary of a mask ``(Y, X)``, in the unit of the pixel size; holes count too.

    Crofton's formula: half the integral, over all directions, of the number of times that lines cross the boundary
    (discrete form: Legland, Kiêu & Devaux 2007, Image Anal Stereol 26:83–92, with eight or more directions in place of
    four). Each direction stands for the angles nearest to it in millimeters, so pixels need not be square.
    """
    directions = _directions(pixel_size.row, pixel_size.column)
    inside = np.pad(np.asarray(mask, bool), max(max(rows, abs(columns)) for rows, columns in directions))
    steps = np.array(directions, float) * (pixel_size.row, pixel_size.column)
    angles = np.arctan2(steps[:, 0], steps[:, 1]) % np.pi
    order = np.argsort(angles)
    gaps = np.diff(np.append(angles[order], angles[order[0]] + np.pi))
    shares = np.empty(len(angles))
    shares[order] = (gaps + np.roll(gaps, 1)) / 2  # they sum to π
    line_distances = pixel_size.area / np.hypot(*steps.T)
    crossings = np.array([_crossings(inside, rows, columns) for rows, columns in directions])
    return float((shares * line_distances * crossings).sum()) / 2


@lru_cache(maxsize=16)
def _directions(row: float, column: float) -> tuple[tuple[int, int], ...]:
    """Return a step along the lines of each direction, as rows and columns, for pixels of this size."""
    reach = _REACH * max(row, column)
    most_rows, most_columns = (min(_MOST, int(reach / length)) for length in (row, column))
    return tuple(
        (rows, columns)
        for rows in range(most_rows + 1)
        for columns in range(-most_columns, most_columns + 1)
        if math.gcd(rows, columns) == 1 and (rows, columns) != (0, -1)
        if math.hypot(rows * row, columns * column) <= reach
    )


def _crossings(inside: NDArray[np.bool_], rows: int, columns: int) -> int:
    """Return how many pairs of pixels, one step apart, are inside and outside."""
    height, width = inside.shape
    left, right = max(0, -columns), min(width, width - columns)
    here, there = inside[: height - rows, left:right], inside[rows:, left + columns : right + columns]
    return int(np.count_nonzero(here != there))
