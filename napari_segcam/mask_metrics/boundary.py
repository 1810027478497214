"""The boundary of a true mask, and what the network says there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def boundary_band(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the band along the boundary of a mask ``(Y, X)``: one pixel inside and one outside.

    These are the pixels of the mask with one of their four neighbors outside of it, and the pixels outside with one of
    theirs in it. The edge of the frame is no boundary.
    """
    return np.asarray(ndimage.binary_dilation(mask) & ~ndimage.binary_erosion(mask, border_value=1))


def boundary_probability(probabilities: NDArray[np.float32], truth: NDArray[np.bool_]) -> float | None:
    """Return the mean probability along the boundary of the true mask; None if it has none.

    Args:
        probabilities: ``(Y, X)`` of the class.
        truth: ``(Y, X)`` bool.
    """
    band = probabilities[boundary_band(truth)]
    return float(band.mean(dtype=np.float64)) if band.size else None
