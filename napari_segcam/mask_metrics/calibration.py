"""Calibration: whether probabilities are the shares of pixels that are true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_segcam.mask_metrics.overlap import ratio
from napari_segcam.mask_metrics.probability_bins import ProbabilityBins


@dataclass(frozen=True)
class Calibration:
    """The reliability curve of a class in one frame, in 10 bins of equal width, and its error.

    Attributes:
        count: pixels of each bin.
        probability: mean of their probabilities; None in a bin without pixels.
        truth: share of them that are in the true mask; None in a bin without pixels.
        error: mean of |probability − truth| over the pixels: the expected calibration error.
    """

    count: tuple[int, ...]
    probability: tuple[float | None, ...]
    truth: tuple[float | None, ...]
    error: float


def calibration(bins: ProbabilityBins) -> Calibration:
    """Return the calibration of a frame (Guo et al. 2017, arXiv:1706.04599); each bin holds its upper edge.

    Args:
        bins: of the frame, which has at least one pixel.
    """
    pixels, true, total = (values.reshape(-1, 2).sum(1) for values in (bins.pixels, bins.true, bins.total))
    return Calibration(
        tuple(int(count) for count in pixels),
        tuple(ratio(float(part), int(count)) for part, count in zip(total, pixels, strict=True)),
        tuple(ratio(int(part), int(count)) for part, count in zip(true, pixels, strict=True)),
        float(np.abs(total - true).sum() / pixels.sum()),
    )
