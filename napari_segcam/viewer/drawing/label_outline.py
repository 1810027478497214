"""The outline of labels, as napari draws it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def outline(labels: NDArray[np.integer], thickness: int) -> NDArray[np.integer]:
    """Return the labels ``(Y, X)`` at their borders only, and background elsewhere, as napari draws them.

    A pixel is kept if the largest label among itself and its four neighbors is not the smallest label within
    ``thickness`` steps from pixel to neighboring pixel. Beyond the edge of the frame, the labels are mirrored.
    """
    padded = np.pad(labels, thickness, mode="symmetric")
    inner = slice(thickness - 1, -(thickness - 1) or None)
    largest = _over_neighbors(np.maximum, padded[inner, inner])
    smallest = padded
    for _ in range(thickness):
        smallest = _over_neighbors(np.minimum, smallest)
    return np.where(largest != smallest, labels, 0)


def _over_neighbors(extreme: np.ufunc, labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the largest or smallest label among each pixel and its four neighbors, without the pixels at the edge."""
    result = extreme(labels[1:-1, 1:-1], labels[:-2, 1:-1])
    for neighbors in (labels[2:, 1:-1], labels[1:-1, :-2], labels[1:-1, 2:]):
        extreme(result, neighbors, out=result)
    return result
