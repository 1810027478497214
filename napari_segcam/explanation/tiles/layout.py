"""Layout of tiles: where they are in an image, and how much each counts at each pixel.

Positions and weights are those of MONAI's ``sliding_window_inference(mode="gaussian")``: a Gaussian whose standard
deviation is an eighth of the tile's side, at least 0.001 everywhere where the model card asks for tiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from napari_segcam.budget import TILES
from napari_segcam.errors import SegcamError

SIGMA = 0.125
"""Standard deviation of the blending weights, as a part of the tile's side."""

SMALLEST_WEIGHT = 1e-3
"""MONAI's, for logits."""

WHOLE_IMAGE_CAUTION = (
    "Some layers of this network look at all of the image, such as squeeze-and-excitation or attention. Here they see "
    "one tile at a time, so masks and heatmaps can differ from those of the whole image."
)


@dataclass(frozen=True)
class Tile:
    """One tile: the number of its first row and column in the image."""

    top: int
    left: int


@dataclass(frozen=True)
class TileLayout:
    """Tiles of one size that cover an image and overlap.

    Attributes:
        input_shape: rows and columns of the image.
        tile_shape: rows and columns of a tile; no side is longer than the image's.
        overlap: part of the side that neighbors share at least.
        reason: why the image runs in tiles, in words.
        is_exact: whether each tile gives what the whole image would, away from the tile's edges. It does not if layers
            of the network look at all of their input.
        smallest_weight: in the blending of logits. MONAI's leaves faint traces of the tiles' edges at the edge of the
            image, where all weights are small.
        even_grid: tiles begin at multiples of so many pixels, at even distances; None for MONAI's positions: equal
            distances, and the last tile at the end of the image, which can almost cover the one before it.

    Raises:
        SegcamError: if there are too many tiles.
    """

    input_shape: tuple[int, int]
    tile_shape: tuple[int, int]
    overlap: float
    reason: str
    is_exact: bool = True
    smallest_weight: float = SMALLEST_WEIGHT
    even_grid: int | None = None

    def __post_init__(self) -> None:
        if len(self) > TILES:
            raise SegcamError(
                f"The image of {self.input_shape[0]}×{self.input_shape[1]} pixels would run in {len(self):,} tiles of "
                f"{self.tile_shape[0]}×{self.tile_shape[1]}: more than {TILES:,}. Choose larger tiles or less overlap."
            )

    def __len__(self) -> int:
        return len(self._starts(0)) * len(self._starts(1))

    def __iter__(self) -> Iterator[Tile]:
        for top in self._starts(0):
            for left in self._starts(1):
                yield Tile(top, left)

    @property
    def words(self) -> str:
        """The tiles in words: ``"12 tiles of 1024 × 1024 pixels"``."""
        rows, columns = self.tile_shape
        return f"{len(self)} tiles of {rows} × {columns} pixels"

    @property
    def caution(self) -> str:
        """What to expect of the results, as a sentence; empty if they are those of the whole image."""
        return "" if self.is_exact else WHOLE_IMAGE_CAUTION

    def as_dict(self) -> dict[str, object]:
        """Return the tiles in plain values, for provenance."""
        return {
            "count": len(self),
            "height": self.tile_shape[0],
            "width": self.tile_shape[1],
            "overlap": self.overlap,
            "blending": f"logits, weighted by a Gaussian with a standard deviation of {SIGMA:g} of the tile's side, at "
            f"least {self.smallest_weight:g}",
            "reason": self.reason,
            "caution": self.caution,
        }

    def window(self, tile: Tile) -> tuple[slice, slice]:
        """Return the rows and columns of a tile in the image."""
        return (
            slice(tile.top, tile.top + self.tile_shape[0]),
            slice(tile.left, tile.left + self.tile_shape[1]),
        )

    def _starts(self, axis: int) -> list[int]:
        """Return where tiles begin."""
        length, side = self.input_shape[axis], self.tile_shape[axis]
        step = max(1, int(side * (1 - self.overlap)))
        count = 1 + math.ceil((length - side) / step)
        if self.even_grid is not None and count > 1:
            distance = (length - side) / (count - 1) / self.even_grid
            return [*(round(number * distance) * self.even_grid for number in range(count - 1)), length - side]
        return [min(number * step, length - side) for number in range(count)]


def blending_weights(shape: tuple[int, int], like: torch.Tensor, smallest: float = SMALLEST_WEIGHT) -> torch.Tensor:
    """Return how much each pixel of a tile, or cell of a tile's map, counts: ``(h, w)``, largest in the middle.

    Args:
        shape: rows and columns.
        like: a tensor of the same type and device.
        smallest: weight that none is below.
    """
    sides = []
    for length in shape:
        offset = torch.arange(length, device=like.device, dtype=torch.float32) - (length - 1) / 2
        sides.append(torch.exp(-offset.square() / (2 * (SIGMA * length) ** 2)))
    weights = sides[0][:, None] * sides[1]
    return weights.clamp_min(max(float(weights.min()), smallest)).to(like.dtype)
