"""The finding: what the network made out in a frame, in figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Finding:
    """Of one class in one frame.

    Attributes:
        pixels: how many belong to the class.
        area_mm2: the same as an area; None where the pixels' size is unknown.
        probability: mean of the class's probability over those pixels; None where there are none.
    """

    pixels: int
    area_mm2: float | None
    probability: float | None


def finding(
    found: NDArray[np.bool_], probabilities: NDArray[np.float32], spacing_mm: tuple[float, float] | None
) -> Finding:
    """The figures of a class.

    Args:
        found: ``(Y, X)``, where the mask has the class.
        probabilities: ``(Y, X)`` of the class.
        spacing_mm: of rows and of columns, None where unknown.
    """
    pixels = int(found.sum())
    return Finding(
        pixels,
        area_mm2(pixels, spacing_mm),
        float(probabilities[found].mean(dtype=np.float64)) if pixels else None,
    )


def area_mm2(pixels: int, spacing_mm: tuple[float, float] | None) -> float | None:
    """The area of so many pixels; None where their size is unknown."""
    return None if spacing_mm is None else pixels * spacing_mm[0] * spacing_mm[1]
