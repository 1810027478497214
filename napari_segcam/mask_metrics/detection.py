"""Detection: which findings of a true mask a prediction has found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from napari_segcam.measuring.components import numbered_components

MIN_IOU = 0.1
"""The least intersection over union of two findings that are the same one."""

_MORE_PAIRS = 1e-9  # so that of two pairings with the same total the one with more pairs is taken


@dataclass(frozen=True)
class Detection:
    """Counts of findings, which are connected components of a mask.

    Attributes:
        true: findings of the true mask.
        found: those of them that are paired with a predicted one.
        missed: those that are not.
        false: predicted findings that are paired with none.
        split: true findings that two or more predicted ones could be paired with.
        merged: predicted findings that two or more true ones could be paired with.
    """

    true: int
    found: int
    missed: int
    false: int
    split: int
    merged: int


def detection(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Detection:
    """Pair the findings of two masks ``(Y, X)``, one to one, and count them.

    A pair has an intersection over union of at least ``MIN_IOU``. Of all ways to pair the findings, the one with the
    largest total of it is taken (Kuhn 1955, doi:10.1002/nav.3800020109), as Maier-Hein et al. 2024 advise
    (doi:10.1038/s41592-023-02151-z).
    """
    true_numbers, true_count = numbered_components(truth)
    predicted_numbers, predicted_count = numbered_components(prediction)
    both = prediction & truth
    codes = true_numbers[both].astype(np.int64) * (predicted_count + 1) + predicted_numbers[both]
    codes, common = np.unique(codes, return_counts=True)
    pairs = np.stack(np.divmod(codes, predicted_count + 1))
    true_areas, predicted_areas = np.bincount(true_numbers.ravel()), np.bincount(predicted_numbers.ravel())
    union = true_areas[pairs[0]] + predicted_areas[pairs[1]] - common
    iou = common / union
    same = iou >= MIN_IOU
    possible = pairs[:, same]
    found = _paired(possible, iou[same])
    split, merged = (int(np.count_nonzero(np.bincount(numbers) > 1)) for numbers in possible)
    return Detection(true_count, found, true_count - found, predicted_count - found, split, merged)


def _paired(pairs: NDArray[np.int64], iou: NDArray[np.float64]) -> int:
    """Return how many of the possible pairs, in columns, are in the pairing with the largest total."""
    if not pairs.size:
        return 0
    (rows, row_of), (columns, column_of) = (np.unique(numbers, return_inverse=True) for numbers in pairs)
    gain = np.zeros((len(rows), len(columns)))
    gain[row_of, column_of] = iou + _MORE_PAIRS
    return int(np.count_nonzero(gain[linear_sum_assignment(gain, maximize=True)]))
