"""Grouping: which pixels of a mask are one graphic, such as the letters of a word or the dots of a line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.imaging.burned_in.kinds import is_caliper
from napari_segcam.imaging.burned_in.sharp_parts import CONNECTED, Mask

_ONE_WORD = 1 / 150  # of the longer side: gap between letters
_BETWEEN_DOTS = 4  # pixels, half the gap between dots of one line
_SMALLEST = 4  # pixels of a graphic: fewer are single specks at the edge of the scan


def group(mask: Mask, dots: Mask) -> NDArray[np.int32]:
    """Return the number of each pixel's graphic ``(Y, X)``, 0 for none.

    Calipers are graphics by themselves; what remains is one graphic where its parts are close to each other.

    Args:
        mask: ``(Y, X)`` bool, of all graphics.
        dots: ``(Y, X)`` bool, which of them are dots of a line.
    """
    shape = mask.shape[0], mask.shape[1]
    labels, _ = ndimage.label(mask, CONNECTED)
    calipers = np.zeros_like(mask)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        pixels = labels[box] == number
        if is_caliper(pixels, shape):
            calipers[box] |= pixels
    rest = mask & ~calipers
    together = ndimage.binary_dilation(rest, CONNECTED, iterations=(max(2, round(max(shape) * _ONE_WORD)) + 1) // 2)
    together |= ndimage.binary_dilation(dots & rest, CONNECTED, iterations=_BETWEEN_DOTS)
    groups, last = ndimage.label(together, CONNECTED)
    groups[~rest] = 0
    groups[np.bincount(groups.ravel(), minlength=last + 1)[groups] < _SMALLEST] = 0
    alone, _ = ndimage.label(calipers, CONNECTED)
    return np.where(calipers, alone + last, groups).astype(np.int32)
