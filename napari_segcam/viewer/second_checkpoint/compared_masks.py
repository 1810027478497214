"""The masks of A and B in one frame: their Dice, their areas, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.evidence.finding import area_mm2
from napari_segcam.mask_metrics.overlap import overlap
from napari_segcam.viewer.drawing.label_outline import outline
from napari_segcam.viewer.frames.sparse_mask import SparseMask

ONLY_A, ONLY_B = 0.0, 1.0
"""Values of the pixels of one mask alone."""

_DASH_SHARE = 0.6  # of the length of a dash and its gap
_MOST_PARTS = 200  # more are noise, in which no dash could be seen
_FEWEST_DASHES = 3  # a smaller part has a whole outline
_EIGHT_NEIGHBORS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class MaskDifference:
    """How much two masks of a frame differ.

    Attributes:
        dice: of A and B; None where both are empty.
        area_difference: B − A, in mm² or pixels.
    """

    dice: float | None
    area_difference: float


@dataclass(frozen=True, eq=False)
class MaskPixels:
    """The pixels of the class in the masks of A and B, within the box that holds both.

    Attributes:
        rows: of the box.
        columns: of the box.
        a: bool ``(rows, columns)``.
        b: bool ``(rows, columns)``.
    """

    rows: slice
    columns: slice
    a: NDArray[np.bool_]
    b: NDArray[np.bool_]

    @classmethod
    def of(cls, a: SparseMask, label_a: int, b: SparseMask, label_b: int) -> MaskPixels:
        """Return the pixels of one label in each mask."""
        boxes = [(mask.rows, mask.columns) for mask in (a, b) if mask.labels.size] or [(slice(0, 0), slice(0, 0))]
        rows, columns = (
            slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes)) for axis in (0, 1)
        )
        empty = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
        of_a, of_b = (
            mask.region(label, rows, columns) if mask.labels.size else empty
            for mask, label in ((a, label_a), (b, label_b))
        )
        return cls(rows, columns, of_a, of_b)

    def difference(self, spacing_mm: tuple[float, float] | None) -> MaskDifference:
        """Return how much they differ; areas are in pixels if the spacing is unknown."""
        pixels = int(np.count_nonzero(self.b)) - int(np.count_nonzero(self.a))
        area = area_mm2(pixels, spacing_mm)
        return MaskDifference(overlap(self.a, self.b).dice, float(pixels) if area is None else area)

    def one_alone(self, frame_shape: tuple[int, int]) -> NDArray[np.float32]:
        """Return ``(Y, X)``: ``ONLY_A`` where A alone is, ``ONLY_B`` in stripes where B alone is, else NaN."""
        values = np.full(frame_shape, np.nan, np.float32)
        box = values[self.rows, self.columns]
        width = max(2, round(min(frame_shape) / 120))
        rows, columns = np.ogrid[self.rows, self.columns]
        is_stripe = (rows + columns) // width % 2 == 0
        box[self.a & ~self.b] = ONLY_A
        box[self.b & ~self.a & is_stripe] = ONLY_B
        return values

    def dashes_of_b(self, frame_shape: tuple[int, int]) -> NDArray[np.float32]:
        """Return ``(Y, X)``: 1 on the dashed outline of B, and NaN elsewhere."""
        values = np.full(frame_shape, np.nan, np.float32)
        side = min(frame_shape)
        dashes = dashed_outline(self.b, max(1, round(side / 300)), max(6, round(side / 30)))
        values[self.rows, self.columns][dashes] = 1
        return values


def dashed_outline(inside: NDArray[np.bool_], thickness: int, period: int) -> NDArray[np.bool_]:
    """Return the outline of a region in dashes.

    Each connected part is drawn around its center, so that dashes follow one another in any direction.

    Args:
        inside: ``(Y, X)``, the region.
        thickness: of the line in pixels, within the region.
        period: length of a dash and its gap in pixels.
    """
    if not inside.any():
        return np.zeros_like(inside)
    padded = np.pad(inside.astype(np.uint8), thickness)
    edge = outline(padded, thickness)[thickness:-thickness, thickness:-thickness] != 0
    parts, number = ndimage.label(inside, _EIGHT_NEIGHBORS)
    if number > _MOST_PARTS:
        return edge
    rows, columns = np.nonzero(edge)
    part = parts[rows, columns]
    pixels = np.maximum(np.bincount(part), 1)
    down = rows - (np.bincount(part, rows) / pixels)[part]
    right = columns - (np.bincount(part, columns) / pixels)[part]
    lengths = 2 * np.pi * np.bincount(part, np.hypot(down, right)) / pixels
    counts = np.round(lengths / period)[part]
    phases = (np.arctan2(down, right) / (2 * np.pi) + 0.5) * counts % 1
    shown = (phases < _DASH_SHARE) | (counts < _FEWEST_DASHES)
    dashes = np.zeros_like(edge)
    dashes[rows[shown], columns[shown]] = True
    return dashes
