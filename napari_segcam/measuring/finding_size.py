"""The size of a finding: everything that is measured on one connected part of a mask."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from napari_segcam.errors import SegcamError
from napari_segcam.measuring.components import component, component_count, without_holes
from napari_segcam.measuring.diameters import Diameter, longest_across, longest_diameter
from napari_segcam.measuring.outline import mask_outline
from napari_segcam.measuring.perimeter import perimeter
from napari_segcam.measuring.pixel_size import PixelSize

SMALLEST_FOR_PERIMETER = 20  # pixels: for smaller disks it can be more than 10 % off


@dataclass(frozen=True)
class FindingSize:
    """What is measured on one connected part of a mask; lengths in the unit of the pixel size.

    Attributes:
        pixels: their number, without holes.
        area: of these pixels, in mm² or px².
        longest: the longest diameter.
        across: the longest diameter perpendicular to it.
        perimeter: of the outer outline; None where it is undefined.
        undefined: why the perimeter is undefined; empty where it is not.
        pixel_size: of the frame.
        hole_pixels: the number of pixels in holes.
        touches_edge: whether it has pixels at the edge of the frame.
        others: how many other components the mask has.
    """

    pixels: int
    area: float
    longest: Diameter
    across: Diameter
    perimeter: float | None
    undefined: str
    pixel_size: PixelSize
    hole_pixels: int
    touches_edge: bool
    others: int

    @property
    def unit(self) -> str:
        """The unit of lengths: ``"mm"``, or ``"px"`` where the frame is not calibrated."""
        return self.pixel_size.unit

    @property
    def equivalent_diameter(self) -> float:
        """The diameter of a disk of the same area."""
        return 2 * math.sqrt(self.area / math.pi)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know about these numbers, in sentences without a period."""
        notes = []
        if self.touches_edge:
            notes.append("it reaches the edge of the frame, so it may be larger")
        if self.hole_pixels:
            notes.append(f"its holes ({self.hole_pixels} pixels) are not part of its area")
        if self.others:
            parts = "part" if self.others == 1 else "parts"
            notes.append(
                f"the mask has {self.others} more {parts}, which {'is' if self.others == 1 else 'are'} not measured"
            )
        if self.undefined:
            notes.append(self.undefined)
        return tuple(notes)


def measure_finding(
    mask: ArrayLike,
    spacing_mm: tuple[float, float] | None = None,
    at: tuple[int, int] | None = None,
    *,
    aspect: float | None = None,
) -> FindingSize:
    """Measure one connected part of a mask.

    The outline runs halfway between the centers of pixels inside and outside; the area is that of the pixels. A row of
    n pixels is n pixels long.

    Args:
        mask: ``(Y, X)``; what is not 0 belongs to it.
        spacing_mm: of rows and of columns; None where it is unknown, so that lengths are in pixels.
        at: row and column of a pixel of the part; None for the largest part.
        aspect: height of a pixel divided by its width, used where the spacing is unknown.

    Examples:
        >>> size = sc.measure_finding([[0, 1, 1, 1], [0, 1, 1, 1]], spacing_mm=(0.5, 0.5))
        >>> size.area, size.unit
        (1.5, 'mm')

    Raises:
        SegcamError: if there is nothing to measure, or an argument is not possible.
    """
    pixels = np.asarray(mask) != 0
    if pixels.ndim != 2:
        raise SegcamError(f"A mask to measure must have rows and columns alone, but this one has {pixels.ndim} axes.")
    pixel_size = PixelSize.of(spacing_mm, aspect)
    if at is not None and not all(0 <= place < length for place, length in zip(at, pixels.shape, strict=True)):
        raise SegcamError(
            f"Row {at[0]}, column {at[1]} is outside of the mask of {pixels.shape[0]} × {pixels.shape[1]}."
        )
    part = component(pixels, at)
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    if not len(rows):
        place = "the mask is empty" if at is None else f"the mask has nothing at row {at[0]}, column {at[1]}"
        raise SegcamError(f"There is nothing to measure: {place}.")
    top, left = int(rows[0]), int(columns[0])
    edges = (top, left, pixels.shape[0] - 1 - int(rows[-1]), pixels.shape[1] - 1 - int(columns[-1]))
    cut = part[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    filled = without_holes(cut)
    outline = mask_outline(filled) + np.array((top, left))
    longest = longest_diameter(outline, pixel_size)
    count, filled_count = int(np.count_nonzero(cut)), int(np.count_nonzero(filled))
    is_small = filled_count < SMALLEST_FOR_PERIMETER
    return FindingSize(
        count,
        count * pixel_size.area,
        longest,
        longest_across(outline, (longest.start, longest.end), pixel_size),
        None if is_small else perimeter(filled, pixel_size),
        f"{count} pixels are too few for a perimeter" if is_small else "",
        pixel_size,
        filled_count - count,
        min(edges) == 0,
        component_count(pixels) - 1,
    )
