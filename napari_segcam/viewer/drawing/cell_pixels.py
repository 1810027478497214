"""The pixels of a cell in the side-by-side comparison: frame, heat and mask, sampled at the pixels of the cell.

As in napari, values are interpolated first and then colored, so that a cell looks like the canvas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from napari.utils import Colormap
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


@dataclass(frozen=True, eq=False)
class Window:
    """The part of a frame that a cell shows.

    Attributes:
        rows: ``(n,)`` positions of the cell's rows in frame pixels; the center of a frame pixel is a whole number.
        columns: ``(m,)`` positions of its columns.
    """

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]

    def on(self, scale: tuple[float, float], translate: tuple[float, float]) -> Window:
        """Return the same part in pixels of a map with this scale and translation on the frame."""
        return Window((self.rows - translate[0]) / scale[0], (self.columns - translate[1]) / scale[1])

    def is_inside(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return which of the cell's pixels are inside an image of this shape, ``(n, m)``."""
        inside = [
            (positions >= -0.5) & (positions <= length - 0.5)
            for positions, length in zip((self.rows, self.columns), shape, strict=True)
        ]
        return np.logical_and.outer(*inside)

    def sample(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return values ``(Y, X)`` or ``(Y, X, channels)`` at the cell's pixels, averaged where they skip some."""
        if values.ndim == 3:
            return np.stack([self.sample(values[..., channel]) for channel in range(values.shape[2])], axis=-1)
        return _sample_rows(_sample_rows(values.astype(np.float32), self.rows).T, self.columns).T

    def nearest(self, labels: NDArray[np.integer]) -> NDArray[np.integer]:
        """Return labels ``(Y, X)`` at the cell's pixels, and background outside of the frame."""
        indices = [
            np.clip(np.rint(positions), 0, length - 1).astype(np.intp)
            for positions, length in zip((self.rows, self.columns), labels.shape, strict=True)
        ]
        return np.where(self.is_inside(labels.shape), labels[np.ix_(*indices)], 0)


def window(
    frame: tuple[int, int],
    spacing: tuple[float, float],
    cell: tuple[int, int],
    zoom: float,
    center: tuple[float, float],
) -> Window:
    """Return the part of a frame that a cell shows.

    Args:
        frame: its shape ``(Y, X)``.
        spacing: of its pixels, in any unit, so that the picture has the right proportions.
        cell: its height and width in pixels.
        zoom: 1 shows the whole frame.
        center: the point of the frame, in its pixels, in the middle of the cell.
    """
    step = max(frame[axis] * spacing[axis] / cell[axis] for axis in (0, 1)) / zoom

    def positions(axis: int) -> NDArray[np.float64]:
        from_middle = np.arange(cell[axis], dtype=np.float64) + 0.5 - cell[axis] / 2
        return center[axis] + from_middle * (step / spacing[axis])

    return Window(positions(0), positions(1))


def _sample_rows(values: NDArray[np.float32], positions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return ``(n, X)`` of ``(Y, X)``: interpolate linearly between rows; where positions skip rows, average them."""
    length = len(values)
    clipped = np.clip(positions, 0, length - 1)
    step = float(positions[1] - positions[0])
    if step <= 1:
        lower = np.minimum(clipped.astype(np.intp), max(length - 2, 0))
        weight = (clipped - lower).astype(np.float32)[:, None]
        return values[lower] * (1 - weight) + values[np.minimum(lower + 1, length - 1)] * weight
    weights = np.maximum(0, 1 - np.abs(clipped[:, None] - np.arange(length)) / step).astype(np.float32)
    return csr_matrix(weights / weights.sum(axis=1, keepdims=True)) @ values


def colored(
    values: NDArray[np.floating], limits: tuple[float, float], colormap: Colormap, gamma: float = 1.0
) -> NDArray[np.uint8]:
    """Return RGBA ``(n, m, 4)`` of values ``(n, m)``; NaN is transparent."""
    scaled = np.clip((values - limits[0]) / ((limits[1] - limits[0]) or 1.0), 0, 1)
    if gamma != 1:
        scaled **= gamma
    table = np.round(255 * np.asarray(colormap.map(np.linspace(0, 1, 256)))).astype(np.uint8)
    table = np.concatenate([table, np.zeros((1, 4), np.uint8)])
    indices = np.where(np.isnan(scaled), 256, scaled * 255).astype(np.intp)
    return table[indices]
