"""Expected overlap: the Dice that the mask would have on average if the probabilities were right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_segcam.evidence.doubt.class_map import ClassMap

_LEVELS = 256


def expected_overlap_doubt(class_map: ClassMap) -> float:
    """Return 1 − the expected Dice of the mask; see ``expected_dice``."""
    return 1 - expected_dice(class_map.probability, class_map.mask)


def expected_dice(probability: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Return the mean Dice of a mask with the regions where the probability is above a level, over all levels.

    The true mask is taken to be one of these regions, as if all pixels shared one random number: pixels of one organ
    are found or missed together. Two empty regions agree fully. It is exact for 256 levels.

    Args:
        probability: ``(h, w)``.
        mask: ``(h, w)``.
    """
    level = np.minimum((probability * _LEVELS).astype(np.int64), _LEVELS - 1)
    above = np.bincount(level.ravel(), minlength=_LEVELS)[::-1].cumsum()
    common = np.bincount(level[mask], minlength=_LEVELS)[::-1].cumsum()
    total = above + np.count_nonzero(mask)
    return float(np.where(total > 0, 2 * common / np.maximum(total, 1), 1.0).mean())
