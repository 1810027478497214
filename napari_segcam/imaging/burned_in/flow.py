"""Flow: the colors of Doppler imaging, which belong to the scan, unlike colored graphics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.imaging.burned_in.sharp_parts import CONNECTED, Mask

_COLORED = 0.2  # chroma beyond the tint of the whole frame
_SLIGHTLY = 0.06  # beside it, as at the dark edges of flow
_DARK = 0.1
_SMALLEST = 12  # pixels
_UNEVEN = 0.06  # standard deviation of a channel within a part: graphics have one color
_HALF_WIDTH = 1.5  # pixels: strokes are thinner


def find_flow(colors: NDArray[np.float32]) -> Mask:
    """Return the pixels ``(Y, X)`` with the varied colors of Doppler imaging.

    Args:
        colors: ``(Y, X, 3)`` in [0, 1].
    """
    value = colors.max(2)
    chroma = value - colors.min(2)
    # Some frames are tinted: their chroma grows with the brightness.
    shown = value > _DARK
    tint = float(np.median(chroma[shown] / value[shown])) if shown.any() else 0.0
    excess = chroma - tint * value
    colored = excess > _COLORED
    labels, count = ndimage.label(ndimage.binary_closing(colored, CONNECTED) | colored, CONNECTED)
    numbers = np.arange(count + 1)
    area = np.bincount(labels.ravel(), minlength=count + 1)
    uneven = np.max([ndimage.standard_deviation(colors[..., channel], labels, numbers) for channel in range(3)], 0)
    depth = ndimage.maximum(ndimage.distance_transform_edt(colored), labels, numbers)
    is_flow = (area >= _SMALLEST) & (np.nan_to_num(uneven) > _UNEVEN) & (np.asarray(depth) > _HALF_WIDTH)
    is_flow[0] = False
    flow = is_flow[labels]
    return np.asarray(
        ndimage.binary_propagation(flow, CONNECTED, mask=flow | (excess > _SLIGHTLY)) & (excess > _SLIGHTLY)
    )
