"""The grid of a stage over the whole image, and where the cells of each tile's map are on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from napari_segcam.explanation.tiles.layout import Tile, TileLayout, blending_weights

_ALIGNED = 1e-6  # of a cell


@dataclass(frozen=True)
class _Axis:
    """One axis of the grid: the number of cells, and the pixels that they cover together."""

    cells: int
    pixels: int

    @property
    def pitch(self) -> float:
        return self.pixels / self.cells


class StageGrid:
    """Grid of a stage over the whole image.

    Its cells are as large as those of a tile's map, so that it is the grid of the same network on the whole image,
    padded at the bottom and right where the cells do not divide it. Where a tile's cells fall between those of the
    grid, their values are shared linearly, in such a way that sums stay the same.

    Attributes:
        shape: rows and columns of the grid.
        covered: rows and columns of the pixels that it covers.

    Args:
        layout: of the tiles.
        map_shape: rows and columns of the stage's map of one tile.
        smallest_weight: in the blending of its maps; MONAI's for logits, none for others.
    """

    def __init__(self, layout: TileLayout, map_shape: tuple[int, int], smallest_weight: float = 0.0) -> None:
        self._layout, self._map_shape, self._smallest_weight = layout, map_shape, smallest_weight
        self._axes = [
            _axis(pixels, side, cells)
            for pixels, side, cells in zip(layout.input_shape, layout.tile_shape, map_shape, strict=True)
        ]
        self.shape = (self._axes[0].cells, self._axes[1].cells)
        self.covered = (self._axes[0].pixels, self._axes[1].pixels)

    def add(self, total: torch.Tensor, tile: Tile, values: torch.Tensor) -> None:
        """Add the values of a tile's map ``(..., h, w)`` to a total on the grid ``(..., rows, columns)``."""
        (rows, spread_rows), (columns, spread_columns) = (
            self._place(axis, start, values) for axis, start in enumerate((tile.top, tile.left))
        )
        if spread_rows is not None:
            values = spread_rows @ values
        if spread_columns is not None:
            values = values @ spread_columns.T
        total[..., rows, columns] += values

    def blended(self, total: torch.Tensor) -> torch.Tensor:
        """Divide a sum of maps, each times ``weights``, by the sum of the weights, in place."""
        weights = self.weights(total)
        summed = total.new_zeros(self.shape)
        for tile in self._layout:
            self.add(summed, tile, weights)
        return total.div_(summed)

    def weights(self, like: torch.Tensor) -> torch.Tensor:
        """Return the blending weights of a tile's map ``(h, w)``."""
        return blending_weights(self._map_shape, like, self._smallest_weight)

    def _place(self, axis: int, start: int, like: torch.Tensor) -> tuple[slice, torch.Tensor | None]:
        """Return the cells of the grid that a tile's cells fall on, and the matrix that shares their values, if any."""
        grid, cells = self._axes[axis], self._map_shape[axis]
        side = self._layout.tile_shape[axis] / cells
        positions = (start + (torch.arange(cells, dtype=torch.float64) + 0.5) * side) / grid.pitch - 0.5
        nearest = positions.round()
        if bool((positions - nearest).abs().max() < _ALIGNED):
            first = int(nearest[0])
            return slice(first, first + cells), None
        positions = positions.clamp(0, grid.cells - 1)
        below = positions.floor().long()
        above = (below + 1).clamp_max(grid.cells - 1)
        first, last = int(below[0]), int(above[-1])
        matrix = torch.zeros(last + 1 - first, cells, dtype=torch.float64)
        numbers = torch.arange(cells)
        matrix[below - first, numbers] += 1 - (positions - below)
        matrix[above - first, numbers] += positions - below
        return slice(first, last + 1), matrix.to(like)


def _axis(pixels: int, side: int, cells: int) -> _Axis:
    if side % cells == 0:
        stride = side // cells
        count = math.ceil(pixels / stride)
        return _Axis(count, count * stride)
    return _Axis(max(1, round(pixels * cells / side)), pixels)
