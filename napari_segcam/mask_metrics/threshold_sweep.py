"""The figures of a mask at other thresholds than its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.mask_metrics.overlap import overlap, rates, ratio
from napari_segcam.mask_metrics.probability_bins import THRESHOLDS, ProbabilityBins


def threshold_sweep(
    bins: ProbabilityBins, prediction: NDArray[np.bool_], truth: NDArray[np.bool_], threshold: float | None
) -> dict[str, Any]:
    """Return Dice, sensitivity and precision of the masks above each threshold, in plain values.

    Args:
        bins: of the probabilities.
        prediction: ``(Y, X)`` bool, the mask as it is: the operating point.
        truth: ``(Y, X)`` bool.
        threshold: of the prediction; None if it is no threshold that cuts it.

    Returns:
        Lists of equal length under ``threshold``, ``dice``, ``sensitivity`` and ``precision``; under
        ``operating_point`` the same of the prediction. A figure without a denominator is None.
    """
    above, found = (_above(counts) for counts in (bins.pixels, bins.true))
    true = int(bins.true.sum())
    own = rates(prediction, truth)
    return {
        "threshold": list(THRESHOLDS),
        "dice": [ratio(2 * hit, count + true) for count, hit in zip(above, found, strict=True)],
        "sensitivity": [ratio(hit, true) for hit in found],
        "precision": [ratio(hit, count) for count, hit in zip(above, found, strict=True)],
        "operating_point": {
            "threshold": threshold,
            "dice": overlap(prediction, truth).dice,
            "sensitivity": own.sensitivity,
            "precision": own.precision,
        },
    }


def _above(counts: NDArray[np.int64]) -> list[int]:
    """Return how many pixels are above each threshold."""
    return [int(count) for count in counts[::-1].cumsum()[-2::-1]]
