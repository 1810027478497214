"""The pixels of a cell in the side-by-side comparison: frame, heat and mask, each sampled where the cell's pixels are.

As napari does, values are interpolated first and colored afterwards, so that a cell looks like the canvas.
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
        rows: ``(n,)`` where the cell's rows lie, in frame pixels, whose centers are whole numbers.
        columns: ``(m,)`` likewise.
    """

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]

    def on(self, scale: tuple[float, float], translate: tuple[float, float]) -> Window:
        """The same on a map that lies so on the frame."""
        return Window((self.rows - translate[0]) / scale[0], (self.columns - translate[1]) / scale[1])

    def is_inside(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """``(n, m)``: which of the cell's pixels lie within an image of this shape."""
        inside = [
            (at >= -0.5) & (at <= length - 0.5) for at, length in zip((self.rows, self.columns), shape, strict=True)
        ]
        return np.logical_and.outer(*inside)

    def sample(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Values ``(Y, X)`` or ``(Y, X, channels)`` at the cell's pixels, averaged where they crowd."""
        if values.ndim == 3:
            return np.stack([self.sample(values[..., channel]) for channel in range(values.shape[2])], axis=-1)
        return _sample_rows(_sample_rows(values.astype(np.float32), self.rows).T, self.columns).T

    def nearest(self, labels: NDArray[np.integer]) -> NDArray[np.integer]:
        """Labels ``(Y, X)`` at the cell's pixels; background outside of the frame."""
        at = [
            np.clip(np.rint(places), 0, length - 1).astype(np.intp)
            for places, length in zip((self.rows, self.columns), labels.shape, strict=True)
        ]
        return np.where(self.is_inside(labels.shape), labels[np.ix_(*at)], 0)


def window(
    frame: tuple[int, int],
    spacing: tuple[float, float],
    cell: tuple[int, int],
    zoom: float,
    center: tuple[float, float],
) -> Window:
    """What a cell of so many rows and columns shows of a frame.

    Args:
        frame: its shape ``(Y, X)``.
        spacing: of its pixels, in any unit; the picture has the right proportions.
        cell: its height and width in pixels.
        zoom: 1 shows the whole frame.
        center: the place of the frame, in its pixels, that is in the middle of the cell.
    """
    step = max(frame[axis] * spacing[axis] / cell[axis] for axis in (0, 1)) / zoom

    def places(axis: int) -> NDArray[np.float64]:
        from_middle = np.arange(cell[axis], dtype=np.float64) + 0.5 - cell[axis] / 2
        return center[axis] + from_middle * (step / spacing[axis])

    return Window(places(0), places(1))


def _sample_rows(values: NDArray[np.float32], at: NDArray[np.float64]) -> NDArray[np.float32]:
    """``(n, X)`` of ``(Y, X)``: linear interpolation between rows; a weighted mean where places skip rows."""
    length = len(values)
    places = np.clip(at, 0, length - 1)
    step = float(at[1] - at[0])
    if step <= 1:
        below = np.minimum(places.astype(np.intp), max(length - 2, 0))
        share = (places - below).astype(np.float32)[:, None]
        return values[below] * (1 - share) + values[np.minimum(below + 1, length - 1)] * share
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(length)) / step).astype(np.float32)
    return csr_matrix(weights / weights.sum(axis=1, keepdims=True)) @ values


def colored(
    values: NDArray[np.floating], limits: tuple[float, float], colormap: Colormap, gamma: float = 1.0
) -> NDArray[np.uint8]:
    """RGBA ``(n, m, 4)`` of values ``(n, m)``; what is not a number is transparent."""
    share = np.clip((values - limits[0]) / ((limits[1] - limits[0]) or 1.0), 0, 1)
    if gamma != 1:
        share **= gamma
    table = np.round(255 * np.asarray(colormap.map(np.linspace(0, 1, 256)))).astype(np.uint8)
    table = np.concatenate([table, np.zeros((1, 4), np.uint8)])
    at = np.where(np.isnan(share), 256, share * 255).astype(np.intp)
    return table[at]
