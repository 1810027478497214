"""Components of a mask: which connected part is measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]

_EIGHT = np.ones((3, 3), bool)  # pixels that touch at a corner are connected, as for explained components


def component(mask: Mask, at: tuple[int, int] | None = None) -> Mask:
    """Return one connected component of a mask ``(Y, X)``; blank where there is none.

    Args:
        mask: whose pixels are connected if they touch at a side or a corner.
        at: row and column of one of its pixels; None for the largest component.
    """
    labels, count = ndimage.label(mask, structure=_EIGHT)
    if at is not None:
        label = int(labels[at])
    else:
        label = int(np.bincount(labels.ravel(), minlength=2)[1:].argmax()) + 1 if count else 0
    return np.asarray((labels == label) & (label > 0))


def numbered_components(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """Return the number of the component in each pixel of a mask ``(Y, X)``, and how many there are.

    Numbers begin with 1, in the order in which the components are met row by row; 0 is outside of all.
    """
    numbers, count = ndimage.label(mask, structure=_EIGHT)
    return numbers, int(count)


def component_count(mask: Mask) -> int:
    """Return the number of connected components of a mask ``(Y, X)``."""
    return int(ndimage.label(mask, structure=_EIGHT)[1])


def without_holes(mask: Mask) -> Mask:
    """Return a mask ``(Y, X)`` with its holes filled; a hole is connected over the sides of pixels only."""
    return np.asarray(ndimage.binary_fill_holes(mask))
