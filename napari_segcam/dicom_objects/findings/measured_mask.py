"""A measured mask: the size and the mean probability of each finding of one class in one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.dicom_objects.findings.packed_array import PackedArray
from napari_segcam.measuring.components import numbered_components
from napari_segcam.measuring.diameters import Diameter
from napari_segcam.measuring.finding_size import FindingSize, measure_finding

MOST_FINDINGS = 20
"""How many findings of a class are measured in a frame, the largest ones: a noisy mask may have thousands of parts."""


@dataclass(frozen=True, eq=False)
class MeasuredMask:
    """The findings of one class in one frame.

    Attributes:
        packed_numbers: ``(Y, X)``: the number of the finding in each of its pixels, from 1, in the order in which
            findings are met row by row; 0 elsewhere.
        count: how many findings there are.
        sizes: of the findings that are measured, by number.
        probabilities: the mean probability in each of these; empty where none is known.
        pixels_left_out: of the findings that are not measured.
    """

    packed_numbers: PackedArray
    count: int
    sizes: Mapping[int, FindingSize]
    probabilities: Mapping[int, float]
    pixels_left_out: int

    @classmethod
    def of(
        cls,
        mask: NDArray[np.bool_],
        spacing_mm: tuple[float, float] | None,
        aspect: float | None = None,
        probabilities: NDArray[np.float32] | None = None,
    ) -> MeasuredMask:
        """Measure the findings of a mask.

        Args:
            mask: ``(Y, X)``, of one class.
            spacing_mm: of rows and of columns; None where it is unknown, so that lengths are in pixels.
            aspect: height of a pixel divided by its width, used where the spacing is unknown.
            probabilities: ``(Y, X)``, of the class; None where there are none.
        """
        numbers, count = numbered_components(mask)
        pixels = np.bincount(numbers.ravel(), minlength=count + 1)
        largest = np.argsort(-pixels[1:], kind="stable")[:MOST_FINDINGS] + 1
        boxes = ndimage.find_objects(numbers)
        sizes, means = {}, {}
        for number in sorted(int(number) for number in largest):
            rows, columns = boxes[number - 1]
            part = numbers[rows, columns] == number
            sizes[number] = _size(part, (rows, columns), mask.shape, spacing_mm, aspect)
            if probabilities is not None:
                means[number] = float(probabilities[rows, columns][part].mean(dtype=np.float64))
        kept = numbers.astype(np.min_scalar_type(count))
        return cls(PackedArray.of(kept), count, sizes, means, int(pixels[1:].sum() - pixels[largest].sum()))

    @property
    def numbers(self) -> NDArray[np.unsignedinteger]:
        """The number of the finding in each pixel ``(Y, X)``."""
        return self.packed_numbers.unpack()

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask ``(Y, X)``."""
        return np.asarray(self.numbers > 0)

    @property
    def words_left_out(self) -> str:
        """Which findings are not measured, in words; empty where all are."""
        more = self.count - len(self.sizes)
        if not more:
            return ""
        pixels = f"{self.pixels_left_out} pixel{'s' * (self.pixels_left_out != 1)}"
        return (
            f"the mask has {self.count} parts in this frame; the {more} smallest ({pixels} in all) are not measured"
            if more > 1
            else f"the mask has {self.count} parts in this frame; the smallest ({pixels}) is not measured"
        )


def _size(
    part: NDArray[np.bool_],
    box: tuple[slice, slice],
    shape: tuple[int, ...],
    spacing_mm: tuple[float, float] | None,
    aspect: float | None,
) -> FindingSize:
    """Return the size of one part, given as the pixels in its box: this is faster than to look at the whole frame."""
    size = measure_finding(part, spacing_mm, aspect=aspect)
    rows, columns = box
    touches = min(rows.start, columns.start, shape[0] - rows.stop, shape[1] - columns.stop) == 0
    offset = rows.start, columns.start
    return replace(
        size, longest=_moved(size.longest, offset), across=_moved(size.across, offset), touches_edge=touches, others=0
    )


def _moved(diameter: Diameter, offset: tuple[int, int]) -> Diameter:
    ends = [(point[0] + offset[0], point[1] + offset[1]) for point in (diameter.start, diameter.end)]
    return Diameter(diameter.length, *ends)
