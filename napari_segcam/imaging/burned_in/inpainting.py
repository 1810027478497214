"""Inpainting: fill pixels of a frame from those around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.restoration import inpaint_biharmonic

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.burned_in.sharp_parts import CONNECTED, Mask

_MARGIN = 6  # pixels around a part that its filling takes into account
_LARGEST = 10_000  # pixels of one part: biharmonic equations of more take seconds
_SOFT = 3.0  # pixels: blur of the filling of larger parts


def inpaint(
    frame: NDArray[np.generic],
    mask: Mask,
    value_range: tuple[float, float] | None = None,
    *,
    grow: int = 1,
) -> NDArray[np.generic]:
    """Return a copy of a frame with the pixels of a mask filled smoothly from those around them.

    Each connected part is filled by the biharmonic equation (Damelin & Hoang 2018), which continues both brightness and
    slope; a part of more than 10 000 pixels gets the values of its nearest neighbors, blurred. No speckle is made up:
    wide fillings are smoother than tissue. All other pixels stay as they are.

    Args:
        frame: ``(Y, X)`` or ``(Y, X, 3)``, any real dtype, which the result keeps.
        mask: ``(Y, X)`` bool.
        value_range: the values of black and white, which the filling does not exceed.
        grow: pixels by which the mask grows first, as graphics often have a soft edge.

    Raises:
        SegcamError: if the mask does not fit the frame, or covers all of it.
    """
    if mask.shape != frame.shape[:2]:
        raise SegcamError(
            f"The frame has {frame.shape[0]}×{frame.shape[1]} pixels, but the mask is {'×'.join(map(str, mask.shape))}."
        )
    if not mask.any():
        return frame.copy()
    if mask.all():
        raise SegcamError("The mask covers the whole frame: nothing is left to fill it from.")
    grown = ndimage.binary_dilation(mask, CONNECTED, iterations=grow) if grow else mask.astype(bool)
    hidden = mask.astype(bool) if grown.all() else grown
    values = frame.astype(np.float64)
    channels = values if values.ndim == 3 else values[..., None]
    unknown = hidden | ~np.isfinite(channels).all(2)  # values that are no numbers must not spread
    filled = channels.copy()
    labels, _ = ndimage.label(unknown, CONNECTED)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        here = labels[box] == number
        if not (here & hidden[box]).any():
            continue
        around = tuple(slice(max(part.start - _MARGIN, 0), part.stop + _MARGIN) for part in box)
        window = labels[around] == number
        filled[around][window] = _fill(channels[around], unknown[around], window)
    result = channels.copy()
    result[hidden] = filled[hidden]
    if value_range is not None:
        result[hidden] = np.clip(result[hidden], *value_range)
    if np.issubdtype(frame.dtype, np.integer):
        result[hidden] = np.rint(result[hidden])
    output = frame.copy()
    output[hidden] = result.reshape(frame.shape)[hidden].astype(frame.dtype)
    return output


def _fill(channels: NDArray[np.float64], unknown: Mask, window: Mask) -> NDArray[np.float64]:
    """Return the filling ``(N, C)`` of the pixels of a window in a box ``(rows, columns, C)``."""
    known = ~unknown
    if not known.any():
        return np.zeros((int(window.sum()), channels.shape[2]))
    nearest = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
    plain = channels[tuple(nearest)]
    low, high = plain.min((0, 1)), plain.max((0, 1))
    if window.sum() > _LARGEST:
        soft = np.stack([ndimage.gaussian_filter(plain[..., i], _SOFT) for i in range(plain.shape[2])], 2)
        return np.asarray(soft[window])
    scale = np.where(high > low, high - low, 1.0)
    unit = (plain - low) / scale  # other unknown pixels of the box count with their nearest value
    biharmonic = inpaint_biharmonic(unit, window, channel_axis=-1)
    return np.asarray(low + np.clip(biharmonic, 0, 1)[window] * scale)
