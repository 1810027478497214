"""The diameter across that is suggested after the reader has drawn a caliper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_segcam.measuring.components import component, without_holes
from napari_segcam.measuring.diameters import Point, longest_across
from napari_segcam.measuring.drawn import distance, line_across
from napari_segcam.measuring.measurement import Measurement
from napari_segcam.measuring.outline import mask_outline
from napari_segcam.measuring.pixel_size import PixelSize

_SHARE = 0.6  # of the drawn length, where there is no mask


@dataclass(frozen=True)
class Suggestion:
    """A line across a caliper, which becomes part of it once the reader keeps or moves it.

    Attributes:
        image: that is measured.
        caliper: the measurement that it belongs to.
        line: its two ends.
        of_mask: whether it is the longest diameter across of the mask there.
    """

    image: Image
    caliper: Measurement
    line: tuple[Point, Point]
    of_mask: bool

    @property
    def points(self) -> tuple[Point, ...]:
        """The ends of both lines."""
        return (*self.caliper.points, *self.line)

    @property
    def length(self) -> float:
        """Of the suggested line, in the unit of the caliper."""
        return distance(*self.line, self.caliper.pixel_size)


def suggest(image: Image, caliper: Measurement, masks: list[NDArray[np.bool_]]) -> Suggestion:
    """Suggest a line across a caliper: the longest one of the mask in its middle, else one of 0.6 times its length.

    Args:
        image: that is measured.
        caliper: a line of two ends.
        masks: ``(Y, X)`` of the frame, the topmost last.
    """
    start, end = caliper.points
    middle = (round((start[0] + end[0]) / 2), round((start[1] + end[1]) / 2))
    size: PixelSize = caliper.pixel_size
    for mask in reversed(masks):
        if mask[middle]:
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            corner = int(rows[0]), int(columns[0])
            cut = mask[corner[0] : rows[-1] + 1, corner[1] : columns[-1] + 1]
            part = component(cut, (middle[0] - corner[0], middle[1] - corner[1]))
            across = longest_across(mask_outline(without_holes(part)) + np.array(corner), (start, end), size)
            return Suggestion(image, caliper, (across.start, across.end), True)
    return Suggestion(image, caliper, line_across((start, end), _SHARE * distance(start, end, size), size), False)
