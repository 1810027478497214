"""Stillness: what stays the same in a cine while the tissue around it moves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.imaging.burned_in.sharp_parts import Gray, Mask, parts_above, with_fringe

_WINDOW = 1 / 20  # of the longer side: how far the surroundings reach
_MOVES = 0.02  # smallest mean standard deviation of the surroundings over the frames
_STILL = 0.3  # of the surroundings' standard deviation
_BRIGHTER = 0.15
_SMALLEST = 5  # pixels
_STEP = 0.2  # mean step at the edge; lower than in a still, as there are two signs
_SAME = 0.06  # largest difference between a frame and the mean of the cine


@dataclass(frozen=True, eq=False)
class Stillness:
    """Mean and change of each pixel over some frames of a cine.

    Attributes:
        mean: ``(Y, X)`` in [0, 1].
        change: ``(Y, X)`` standard deviation.
        frames: number of frames.
    """

    mean: Gray
    change: Gray
    frames: int

    @classmethod
    def of(cls, grays: Iterable[Gray]) -> Stillness | None:
        """Return the figures of frames of one shape; None if there are fewer than three."""
        count = 0
        total: NDArray[np.float64] | None = None
        squares: NDArray[np.float64] | None = None
        for gray in grays:
            values = gray.astype(np.float64)
            total = values if total is None else total + values
            squares = values**2 if squares is None else squares + values**2
            count += 1
        if total is None or squares is None or count < 3:
            return None
        mean = total / count
        change = np.sqrt(np.maximum(squares / count - mean**2, 0))
        return cls(mean.astype(np.float32), change.astype(np.float32), count)

    def find_still_parts(self, gray: Gray) -> Mask:
        """Return the pixels ``(Y, X)`` of sharp bright parts of a frame that stay while their surroundings move."""
        window = 2 * int(max(gray.shape) * _WINDOW / 2) + 1
        around = ndimage.uniform_filter(self.change, window)
        brightness = ndimage.uniform_filter(self.mean, window)
        still = (around > _MOVES) & (self.change < _STILL * around) & (self.mean > brightness + _BRIGHTER)
        parts = parts_above(still & (np.abs(gray - self.mean) < _SAME), self.mean)
        accepted = (parts.area >= _SMALLEST) & (parts.step >= _STEP)
        return with_fringe(self.mean, parts, accepted)
