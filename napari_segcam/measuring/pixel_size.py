"""The size of a pixel: what turns positions in a frame into lengths, calibrated or not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_segcam.errors import SegcamError

MM, PX = "mm", "px"


@dataclass(frozen=True)
class PixelSize:
    """Height and width of a pixel.

    Attributes:
        row: distance between neighboring rows.
        column: distance between neighboring columns; 1 where the frame is not calibrated.
        unit: ``"mm"``, or ``"px"`` where the frame is not calibrated: one px is the width of a pixel.
    """

    row: float = 1.0
    column: float = 1.0
    unit: str = PX

    def __post_init__(self) -> None:
        if not all(math.isfinite(length) and length > 0 for length in (self.row, self.column)):
            raise SegcamError(
                f"A pixel of {self.row:g} × {self.column:g} {self.unit} is not possible: both must be more than 0."
            )

    @classmethod
    def of(cls, spacing_mm: tuple[float, float] | None, aspect: float | None = None) -> PixelSize:
        """Return the size of a pixel.

        Args:
            spacing_mm: of rows and of columns; None where it is unknown.
            aspect: height of a pixel divided by its width, which is used where the spacing is unknown.

        Raises:
            SegcamError: if a length is not a positive number.
        """
        if spacing_mm is not None:
            return cls(float(spacing_mm[0]), float(spacing_mm[1]), MM)
        return cls(float(aspect or 1.0), 1.0, PX)

    @property
    def is_calibrated(self) -> bool:
        """Whether lengths are in millimeters."""
        return self.unit == MM

    @property
    def spacing_mm(self) -> tuple[float, float] | None:
        """Spacing of rows and of columns in mm; None where the frame is not calibrated."""
        return (self.row, self.column) if self.is_calibrated else None

    @property
    def area(self) -> float:
        """The area of a pixel, in mm² or px²."""
        return self.row * self.column

    def scaled(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return positions ``(N, 2)``, given as rows and columns, in the unit of length."""
        return np.asarray(points, float).reshape(-1, 2) * (self.row, self.column)

    def in_pixels(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return positions ``(N, 2)`` in the unit of length as rows and columns."""
        return np.asarray(points, float).reshape(-1, 2) / (self.row, self.column)
