"""Doubt from a frame's place in its cine: jumps of the mask, and areas unlike those of the other frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEAST_CHANGE = 0.02  # 1 − Dice, of neighboring frames: a cine that does not move at all has no typical change
_LEAST_SPREAD = 0.1  # of the logarithm of the area


def jumps(dice_with_before: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much the mask changes from frame to frame against what is typical for the cine.

    The change of a frame is the mean of 1 − Dice with the frame before and with the one after, J; the doubt is
    J / (J + the median J of the cine).

    Args:
        dice_with_before: ``(T,)``, Dice of each frame's mask with that of the frame before; NaN where it is unknown.

    Returns:
        ``(T,)``, 0–1; NaN where neither neighbor is known.
    """
    change = 1 - np.asarray(dice_with_before, np.float64)
    both = np.stack([change, np.append(change[1:], np.nan)])
    known = np.isfinite(both)
    counts = known.sum(0)
    mean = np.where(counts > 0, np.where(known, both, 0).sum(0) / np.maximum(counts, 1), np.nan)
    return _against_typical(mean, _LEAST_CHANGE)


def outliers(areas: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how unlike those of the other frames each mask's area is.

    With z the distance of its logarithm from the cine's median, in units of the median distance, it is z / (z + 1).

    Args:
        areas: ``(T,)``; NaN where it is unknown. Empty masks are left out.

    Returns:
        ``(T,)``, 0–1; NaN for empty masks.
    """
    values = np.asarray(areas, np.float64)
    logarithms = np.full(len(values), np.nan)
    logarithms[values > 0] = np.log(values[values > 0])
    if not np.isfinite(logarithms).any():
        return logarithms
    return _against_typical(np.abs(logarithms - np.nanmedian(logarithms)), _LEAST_SPREAD)


def _against_typical(values: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Return values / (values + their median), with a median of at least ``least``."""
    if not np.isfinite(values).any():
        return values
    return values / (values + max(float(np.nanmedian(values)), least))
