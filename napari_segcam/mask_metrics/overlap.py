"""Overlap of two regions of one frame, and the rates of right and wrong pixels."""

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


@dataclass(frozen=True)
class Rates:
    """Shares of pixels that a prediction has right.

    Attributes:
        sensitivity: share of the true pixels that are predicted; None if there is no true pixel.
        precision: share of the predicted pixels that are true; None if there is no predicted pixel.
        specificity: share of the pixels outside of the truth that are not predicted; None if the truth is the frame.
    """

    sensitivity: float | None
    precision: float | None
    specificity: float | None


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Overlap:
    """Measure the overlap of two regions ``(Y, X)``."""
    common = int(np.count_nonzero(first & second))
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    if not total:
        return Overlap(None, None)
    return Overlap(2 * common / total, common / (total - common))


def rates(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Rates:
    """Return the rates of right pixels of a predicted mask ``(Y, X)`` beside the true one."""
    common = int(np.count_nonzero(prediction & truth))
    predicted, true = int(np.count_nonzero(prediction)), int(np.count_nonzero(truth))
    outside = truth.size - true
    return Rates(
        ratio(common, true),
        ratio(common, predicted),
        ratio(outside - (predicted - common), outside),
    )


def ratio(part: float, whole: float) -> float | None:
    """Return a part of a whole as a share; None if the whole is 0."""
    return part / whole if whole else None
