"""Overlap of two regions of one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Overlap:
    """How well two regions agree.

    Attributes:
        dice: 2 |A ∩ B| / (|A| + |B|) (Dice 1945); None where both are empty.
        iou: |A ∩ B| / |A ∪ B| (Jaccard 1912); None where both are empty.
    """

    dice: float | None
    iou: float | None


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Overlap:
    """Measure the overlap of two regions ``(Y, X)``."""
    common = int(np.count_nonzero(first & second))
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    if not total:
        return Overlap(None, None)
    return Overlap(2 * common / total, common / (total - common))
