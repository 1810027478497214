"""Outlines as straight pieces: of a mask, halfway between pixels inside and outside, and of a line drawn by hand.

The outline of a mask is its level line at one half (Lorensen & Cline 1987, in two dimensions): it crosses each line
between the centers of two neighboring pixels, one inside and one outside, at its middle. So a row of n pixels is n
pixels long, from edge to edge, and a disk is neither too large by its corners nor too small by half a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Pieces = NDArray[np.float64]  # (N, 2, 2): N pieces, two ends, row and column
Points = NDArray[np.float64]  # (N, 2): rows and columns


def mask_outline(mask: NDArray[np.bool_]) -> Pieces:
    """Return the outline of a mask ``(Y, X)`` as pieces ``(N, 2, 2)``, in rows and columns of pixel centers.

    Pixels that touch at a corner are connected. Beside the frame there is nothing.
    """
    inside = np.pad(np.asarray(mask, bool), 1)
    upper_left, upper_right = inside[:-1, :-1], inside[:-1, 1:]
    lower_left, lower_right = inside[1:, :-1], inside[1:, 1:]
    top, bottom = upper_left != upper_right, lower_left != lower_right
    left, right = upper_left != lower_left, upper_right != lower_right
    is_saddle = top & bottom & left & right
    rising = is_saddle & upper_right  # inside at the upper right and lower left, which are connected
    falling = is_saddle & upper_left
    plain = ~is_saddle
    sides = {
        "top": (top, (0.0, 0.5)),
        "bottom": (bottom, (1.0, 0.5)),
        "left": (left, (0.5, 0.0)),
        "right": (right, (0.5, 1.0)),
    }
    saddles = {
        ("top", "left"): rising,
        ("bottom", "right"): rising,
        ("top", "right"): falling,
        ("bottom", "left"): falling,
    }
    pieces = []
    names = list(sides)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            is_cut = sides[first][0] & sides[second][0] & plain
            if (first, second) in saddles:
                is_cut = is_cut | saddles[first, second]
            cells = np.argwhere(is_cut).astype(float) - 1  # the first cell is before the frame
            pieces.append(np.stack([cells + sides[first][1], cells + sides[second][1]], axis=1))
    return np.concatenate(pieces)


def polygon_outline(points: Sequence[Sequence[float]] | Points) -> Pieces:
    """Return a closed line through points ``(N, 2)`` as pieces ``(N, 2, 2)``."""
    corners = np.asarray(points, float).reshape(-1, 2)
    return np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)


def convex_hull(points: Points) -> Points:
    """Return the corners of the convex hull of points ``(N, 2)``, in order (Andrew 1979)."""
    rows, inverse = np.unique(points[:, 0], return_inverse=True)
    low, high = np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
    np.minimum.at(low, inverse, points[:, 1])
    np.maximum.at(high, inverse, points[:, 1])
    ordered = [
        point
        for row, first, last in zip(rows.tolist(), low.tolist(), high.tolist(), strict=True)
        for point in ((row, first), (row, last))[: 1 if first == last else 2]
    ]
    half = [_half_hull(part) for part in (ordered, ordered[::-1])]
    corners = half[0][:-1] + half[1][:-1] if len(ordered) > 1 else ordered
    return np.array(corners)


def _half_hull(ordered: list[tuple[float, float]]) -> list[tuple[float, float]]:
    corners: list[tuple[float, float]] = []
    for row, column in ordered:
        while len(corners) > 1:
            (row_0, column_0), (row_1, column_1) = corners[-2:]
            if (row_1 - row_0) * (column - column_0) - (column_1 - column_0) * (row - row_0) > 0:
                break
            corners.pop()
        corners.append((row, column))
    return corners
