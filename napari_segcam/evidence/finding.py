"""The finding: the predicted mask of a class in a frame, in figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Finding:
    """Figures of one class in one frame.

    Attributes:
        pixels: number of pixels of the class.
        area_mm2: their area; None where the pixels' size is unknown.
        probability: mean of the class's probability over these pixels; None where there are none.
    """

    pixels: int
    area_mm2: float | None
    probability: float | None


def finding(
    mask: NDArray[np.bool_], probabilities: NDArray[np.float32], spacing_mm: tuple[float, float] | None
) -> Finding:
    """Return the figures of a class.

    Args:
        mask: ``(Y, X)`` bool, of the class.
        probabilities: ``(Y, X)`` of the class.
        spacing_mm: of rows and of columns, None where unknown.
    """
    pixels = int(mask.sum())
    return Finding(
        pixels,
        area_mm2(pixels, spacing_mm),
        float(probabilities[mask].mean(dtype=np.float64)) if pixels else None,
    )


def area_mm2(pixels: int, spacing_mm: tuple[float, float] | None) -> float | None:
    """Return the area of a number of pixels; None where their size is unknown."""
    return None if spacing_mm is None else pixels * spacing_mm[0] * spacing_mm[1]
