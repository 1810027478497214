"""Kinds: what a burned-in graphic looks like, by its shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.imaging.burned_in.graphics import Kind
from napari_segcam.imaging.burned_in.sharp_parts import CONNECTED, Mask

_LARGEST_CALIPER = 1 / 10  # of the frame's shorter side
_SMALLEST_CALIPER = 5  # pixels
_ON_STROKES = 0.85  # share of a caliper's pixels on its two strokes
_CORNER = 0.3  # share of the box: a plus has no pixels in the corners, a cross none in the middle of the edges
_STRAIGHT = 1.6  # pixels: standard deviation across a line
_LONG = 6  # times as long as wide
_SOLID = 0.75  # share of the box that a bar fills
_ALIKE = 0.4  # largest standard deviation of the heights of letters, as a share of their mean


def kind_of(pixels: Mask, frame_shape: tuple[int, int]) -> Kind:
    """Return the kind of a graphic from its pixels ``(rows, columns)`` within its box."""
    height, width = pixels.shape
    labels, count = ndimage.label(pixels, CONNECTED)
    if count == 1 and is_caliper(pixels, frame_shape):
        return "caliper"
    along, across = _extent(pixels)
    if across <= _STRAIGHT and along >= _LONG * max(across, 0.5):
        return "line" if count < 4 else "dotted line"
    if (
        count == 1
        and pixels.mean() >= _SOLID
        and max(height, width) >= 3 * min(height, width)
        and min(height, width) > 3
    ):
        return "bar"
    if count >= 2:
        heights = np.array([box[0].stop - box[0].start for box in ndimage.find_objects(labels)])
        tall = heights[heights >= 0.5 * heights.max()]  # without dots and commas
        if len(tall) >= 2 and tall.std() <= _ALIKE * tall.mean() and width > height * 0.8 and tall.max() > 3:
            return "text"
    return "graphic"


def is_caliper(pixels: Mask, frame_shape: tuple[int, int]) -> bool:
    """Return whether a part is a plus or a cross of two thin strokes."""
    height, width = pixels.shape
    shorter, longer = sorted((height, width))
    if shorter < _SMALLEST_CALIPER or longer > 1.5 * shorter or longer > max(min(frame_shape) * _LARGEST_CALIPER, 9):
        return False
    rows, columns = (np.linspace(-1, 1, length) for length in (height, width))
    stroke = max(1.6, 0.12 * longer) / (longer / 2)  # half the width of a stroke
    down, right = np.meshgrid(rows, columns, indexing="ij")
    plus = (np.abs(down) <= stroke) | (np.abs(right) <= stroke)
    cross = np.abs(np.abs(down) - np.abs(right)) <= 1.5 * stroke
    for strokes, ends in ((plus, _edge_centers(pixels)), (cross, _corners(pixels))):
        if all(ends) and pixels[strokes].sum() >= _ON_STROKES * pixels.sum() and pixels[strokes].mean() > 0.15:
            return bool(pixels.mean() < 0.65)
    return False


def _edge_centers(pixels: Mask) -> list[bool]:
    """Return whether there is something at the middle of each edge of the box, and nothing in its corners."""
    height, width = pixels.shape
    row, column = height // 2, width // 2
    edges = [pixels[0, column - 1 : column + 2], pixels[-1, column - 1 : column + 2]]
    edges += [pixels[row - 1 : row + 2, 0], pixels[row - 1 : row + 2, -1]]
    return [*(bool(edge.any()) for edge in edges), not any(_corners(pixels))]


def _corners(pixels: Mask) -> list[bool]:
    """Return whether there is something in each corner of the box."""
    rows, columns = (max(1, int(_CORNER * length)) for length in pixels.shape)
    return [
        bool(corner.any())
        for corner in (
            pixels[:rows, :columns],
            pixels[:rows, -columns:],
            pixels[-rows:, :columns],
            pixels[-rows:, -columns:],
        )
    ]


def _extent(pixels: Mask) -> tuple[float, float]:
    """Return the standard deviation of the pixels along and across their main direction."""
    places: NDArray[np.float64] = np.argwhere(pixels).astype(float)
    if len(places) < 2:
        return 0.0, 0.0
    across, along = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(places.T)), 0))
    return float(along), float(across)
