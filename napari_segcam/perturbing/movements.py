"""Movements: perturbations that move pixels, so that masks and heatmaps have to move with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Movement(Protocol):
    """How pixels move. All arrays are ``(Y, X[, C])``; the aspect is height by width of a pixel."""

    def forward(self, values: Floats, strength: float, aspect: float, nearest: bool = False, /) -> Floats:
        """Return values as they are after the movement; 0 where there was nothing before."""

    def back(self, values: Floats, shape: tuple[int, int], strength: float, aspect: float, /) -> tuple[Floats, Mask]:
        """Move values ``(Y, X)`` back onto a frame of a shape.

        Returns:
            The values, and which pixels of the frame were seen after the movement.
        """


@dataclass(frozen=True)
class Rotation:
    """A rotation about the middle, counterclockwise, in the true shape of the pixels; the size stays."""

    def forward(self, values: Floats, strength: float, aspect: float, nearest: bool = False, /) -> Floats:
        """See ``Movement``: bilinear, or the nearest pixel for masks."""
        if values.ndim > 2:
            parts = [self.forward(part, strength, aspect, nearest) for part in np.moveaxis(values, 2, 0)]
            return np.stack(parts, axis=2)
        angle = np.deg2rad(strength)
        cosine, sine = np.cos(angle), np.sin(angle)
        # Rounded, so that a right angle stays one: the outermost pixels are not lost by 1e-16.
        matrix = np.array([[cosine, sine / aspect], [-sine * aspect, cosine]]).round(12)
        middle = (np.array(values.shape) - 1) / 2
        return affine_transform(values, matrix, middle - matrix @ middle, order=0 if nearest else 1)

    def back(self, values: Floats, shape: tuple[int, int], strength: float, aspect: float, /) -> tuple[Floats, Mask]:
        """See ``Movement``."""
        once = self.forward(np.ones(shape), strength, aspect)
        seen = self.forward((once > 0.5).astype(np.float64), -strength, aspect) > 0.5
        return self.forward(values, -strength, aspect), seen


@dataclass(frozen=True)
class Cropping:
    """A cut of so many percent of the height and of the width, half of it on each side."""

    def window(self, shape: tuple[int, ...], strength: float) -> tuple[slice, slice]:
        """Return the rows and columns that remain, at least one of each."""
        rows, columns = (self._part(side, strength) for side in shape[:2])
        return rows, columns

    def _part(self, side: int, strength: float) -> slice:
        cut = min(round(side * strength / 200), (side - 1) // 2)
        return slice(cut, side - cut)

    def forward(self, values: Floats, strength: float, _aspect: float, _nearest: bool = False, /) -> Floats:
        """See ``Movement``."""
        return values[self.window(values.shape, strength)]

    def back(self, values: Floats, shape: tuple[int, int], strength: float, _aspect: float, /) -> tuple[Floats, Mask]:
        """See ``Movement``."""
        window = self.window(shape, strength)
        whole, seen = np.zeros(shape), np.zeros(shape, np.bool_)
        whole[window], seen[window] = values, True
        return whole, seen
