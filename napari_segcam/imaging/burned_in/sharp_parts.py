"""Sharp parts: bright parts of one frame whose edge is a step, as no tissue's is.

A scanner's beam is several pixels wide, so that the brightness of tissue changes little from one pixel to the next,
even at bone. Graphics are drawn pixel by pixel after that, and are much brighter than all pixels beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Gray = NDArray[np.float32]
"""``(Y, X)``, black 0 and white 1."""

CONNECTED = np.ones((3, 3), bool)

_LEVELS = (0.97, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
_SMALLEST = 6  # pixels
# Mean step from a part to the pixels beside it. Of the parts of tissue in real frames, 98 of 100 are below 0.35, and
# below 0.43 where the frame is scaled down to 160 × 96 pixels.
_STEP, _STEP_OF_UNEVEN = 0.4, 0.47
_EVEN = 0.05  # standard deviation within a part
_ALL_AROUND = 0.6  # smallest share of the pixels beside a part that are much darker than it is
_MUCH_DARKER = 0.2
_ADDED_STEP = 0.32  # as _STEP, of the pixels alone that a lower level adds
# Of parts close to others that are certain.
_WEAK_STEP, _HALF_AROUND, _SMALLEST_WEAK = 0.25, 0.5, 2
_TYPICAL, _AS_BRIGHT = 90, 0.06  # percentile of the brightness of certain parts, and how much darker the others may be
_REACH, _REACH_SHARE = 4, 1 / 60  # pixels, and of the longer side
_LARGEST_WEAK = 12  # pixels
_HALF_WIDTH = 0.03  # of the shorter side: a wider part may be a finding in a simulated image
_FRINGE = 0.25  # of the step: a pixel beside a stroke that is brighter than this belongs to its soft edge


@dataclass(frozen=True)
class LevelParts:
    """Connected parts of a frame above one level, with their figures; index 0 of each stands for everything else.

    Attributes:
        labels: ``(Y, X)`` number of the part of each pixel, 0 below the level.
        beside: ``(Y, X)`` number of the part that each pixel is beside, 0 for others.
        boxes: rows and columns that hold each part, from part 1 on.
        area: pixels of each part.
        mean: brightness of each part.
        spread: standard deviation of each part.
        edge: mean brightness of each part's outermost pixels.
        surround: mean brightness of the pixels beside each part.
        darker: share of the pixels beside each part that are much darker than it.
    """

    labels: NDArray[np.int32]
    beside: NDArray[np.int32]
    boxes: list[tuple[slice, slice]]
    area: NDArray[np.int64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    edge: NDArray[np.float64]
    surround: NDArray[np.float64]
    darker: NDArray[np.float64]

    @property
    def step(self) -> NDArray[np.float64]:
        """How much brighter the outermost pixels of each part are than the pixels beside it."""
        return self.edge - self.surround


def find_sharp_parts(gray: Gray) -> Mask:
    """Return the pixels ``(Y, X)`` of bright parts with a step as their edge, of six pixels or more.

    Less certain parts count too if they are close to such a part and as bright, as are other letters of a word.
    """
    found = np.zeros(gray.shape, bool)
    levels = list(each_level(gray))
    for parts in levels:
        step = np.where(parts.spread <= _EVEN, _STEP, _STEP_OF_UNEVEN)
        strokes = _is_stroke(parts, gray, _SMALLEST, step, _ALL_AROUND) & _adds_strokes(parts, gray, found)
        found |= with_fringe(gray, parts, strokes)
    if not found.any():
        return found
    bright = float(np.percentile(gray[found], _TYPICAL)) - _AS_BRIGHT
    reach = max(_REACH, round(max(gray.shape) * _REACH_SHARE))
    near = ndimage.binary_dilation(found, CONNECTED, iterations=reach)
    largest = max(_LARGEST_WEAK, (max(gray.shape) * _REACH_SHARE) ** 2)
    for parts in levels:
        weak = _is_stroke(parts, gray, _SMALLEST_WEAK, _WEAK_STEP, _HALF_AROUND) & (parts.area <= largest)
        weak &= _adds_strokes(parts, gray, found)
        for number in np.flatnonzero(weak):
            box = parts.boxes[number - 1]
            pixels = parts.labels[box] == number
            weak[number] = gray[box][pixels].max() >= bright and near[box][pixels].all()
        found |= with_fringe(gray, parts, weak)
    return found


def _adds_strokes(parts: LevelParts, gray: Gray, found: Mask) -> Mask:
    """Return which parts add nothing but strokes to what was found at higher levels, and no tissue that touches it."""
    added = (parts.labels > 0) & ~found
    count = len(parts.area)
    added_area = np.bincount(parts.labels[added], minlength=count)
    mean = np.bincount(parts.labels[added], gray[added], count) / np.maximum(added_area, 1)
    return np.asarray((added_area == parts.area) | (mean - parts.surround >= _ADDED_STEP))


def _is_stroke(
    parts: LevelParts, gray: Gray, smallest: int, step: float | NDArray[np.float64], all_around: float
) -> Mask:
    """Return which parts are strokes: not small, not thick, and much brighter than the pixels beside them."""
    strokes = np.asarray((parts.area >= smallest) & (parts.step >= step) & (parts.darker >= all_around))
    half_width = max(_HALF_WIDTH * min(gray.shape), 3)
    for number in np.flatnonzero(strokes & (parts.area > 3 * half_width**2)):
        solid = np.pad(parts.labels[parts.boxes[number - 1]] == number, 1, mode="edge")
        strokes[number] = ndimage.distance_transform_edt(solid).max() <= half_width
    return strokes


def each_level(gray: Gray) -> Iterator[LevelParts]:
    """Yield the parts of a frame above each of several levels, from the brightest."""
    for level in _LEVELS:
        parts = parts_above(gray >= level, gray)
        if len(parts.area) > 1:
            yield parts


def parts_above(mask: Mask, gray: Gray) -> LevelParts:
    """Return the connected parts of a mask with their figures."""
    labels, count = ndimage.label(mask, CONNECTED)
    labels = labels.astype(np.int32)
    beside = ndimage.maximum_filter(labels, 3)
    beside[labels > 0] = 0
    inside = labels > 0
    area = np.bincount(labels.ravel(), minlength=count + 1)
    area[0] = 0
    mean = _mean_by(labels[inside], gray[inside], count)
    spread = np.sqrt(_mean_by(labels[inside], (gray[inside] - mean[labels[inside]]) ** 2, count))
    outermost = inside & ~ndimage.binary_erosion(inside, CONNECTED, border_value=1)
    edge = _mean_by(labels[outermost], gray[outermost], count)
    around = beside > 0
    surround = _mean_by(beside[around], gray[around], count)
    darker = _mean_by(beside[around], gray[around] < edge[beside[around]] - _MUCH_DARKER, count)
    return LevelParts(labels, beside, ndimage.find_objects(labels), area, mean, spread, edge, surround, darker)


def with_fringe(gray: Gray, parts: LevelParts, accepted: Mask) -> Mask:
    """Return the pixels of the accepted parts, with those beside them that belong to their soft edge."""
    accepted = accepted.copy()
    accepted[0] = False
    found = accepted[parts.labels]
    beside = accepted[parts.beside]
    limit = parts.surround + _FRINGE * parts.step
    found |= beside & (gray > limit[parts.beside])
    return np.asarray(found)


def _mean_by(numbers: NDArray[np.int32], values: NDArray[np.generic], count: int) -> NDArray[np.float64]:
    """Return the mean of the values with each number from 0 to the count; 0 where there are none."""
    total = np.bincount(numbers, values, count + 1)
    return total / np.maximum(np.bincount(numbers, minlength=count + 1), 1)
