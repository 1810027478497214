"""Dots: rows of equally spaced dots, as of measuring lines and rulers, each too small to be known by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from napari_segcam.imaging.burned_in.sharp_parts import Gray, Mask, each_level, with_fringe

_LARGEST = 9  # pixels of a dot
_STEP = 0.35
_EVEN = 0.06  # largest standard deviation of the brightness within a row
_FEWEST = 6  # dots of a row: in speckle, shorter rows occur by chance
_OFF = 1.5  # pixels: largest distance of a dot from its place in the row
_NEAREST, _FARTHEST = 2.5, 1 / 30  # pixels, and share of the frame's longer side
_TOO_MANY = 3000  # candidates: they are grain, not dots


def find_dots(gray: Gray) -> Mask:
    """Return the pixels ``(Y, X)`` of small bright dots that are equally spaced along a line, six or more."""
    found = np.zeros(gray.shape, bool)
    for parts in each_level(gray):
        small = (parts.area > 0) & (parts.area <= _LARGEST) & (parts.step >= _STEP)
        numbers = np.flatnonzero(small)
        if not _FEWEST <= len(numbers) <= _TOO_MANY:
            continue
        height, width = gray.shape
        rows, columns = np.arange(height)[:, None], np.arange(width)[None]
        weights = [np.bincount(parts.labels.ravel(), minlength=len(small))[numbers]]
        centers = np.stack(
            [
                np.bincount(parts.labels.ravel(), np.broadcast_to(axis, gray.shape).ravel(), len(small))[numbers]
                / weights[0]
                for axis in (rows, columns)
            ],
            1,
        )
        in_row = rows_of_dots(centers, parts.mean[numbers], max(12.0, max(gray.shape) * _FARTHEST))
        accepted = np.zeros(len(small), bool)
        accepted[numbers[in_row]] = True
        found |= with_fringe(gray, parts, accepted)
    return found


def rows_of_dots(centers: NDArray[np.float64], brightness: NDArray[np.float64], farthest: float) -> Mask:
    """Return which dots ``(N,)`` are in a row of six or more that are equally spaced and equally bright.

    Args:
        centers: ``(N, 2)`` of the dots.
        brightness: ``(N,)``.
        farthest: largest distance of two neighbors in a row.
    """
    in_row = np.zeros(len(centers), bool)
    tree = KDTree(centers)
    for first, second in tree.query_pairs(farthest, output_type="ndarray"):
        distance = float(np.hypot(*(centers[second] - centers[first])))
        if distance < _NEAREST or (in_row[first] and in_row[second]):
            continue
        row = [*_continued(tree, centers, second, first)[::-1], *_continued(tree, centers, first, second)]
        if len(row) >= _FEWEST and np.std(brightness[row]) <= _EVEN:
            in_row[row] = True
    return in_row


def _continued(tree: KDTree, centers: NDArray[np.float64], first: int, second: int) -> list[int]:
    """Return the second dot and those that continue the row from the first over the second."""
    row = [second]
    spacing = centers[second] - centers[first]
    while True:
        # The mean spacing so far, so that rounding to pixels does not add up.
        off, following = tree.query(centers[row[-1]] + spacing)
        if off > _OFF or following in row or following == first:
            return row
        row.append(int(following))
        spacing = (centers[following] - centers[first]) / len(row)
