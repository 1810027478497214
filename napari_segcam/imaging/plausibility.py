"""Plausibility: possible frame rates, pixel spacings and aspects, in any file."""

from __future__ import annotations

import math

# Frames per second: from one in an hour to the fastest plane-wave scanners.
_SLOWEST, _FASTEST = 1 / 3600, 10_000.0
# mm from pixel to pixel: from an electron microscope's to a whole body's.
_FINEST, _COARSEST = 1e-7, 100.0

_LONGEST_PIXEL = 10.0  # times as long as wide
_SQUARE = 0.01  # by how much of its width a square pixel's height may differ


def is_possible_rate(rate: float) -> bool:
    """Whether a frame rate per second is possible."""
    return math.isfinite(rate) and _SLOWEST <= rate <= _FASTEST


def is_possible_spacing(spacing_mm: tuple[float, float]) -> bool:
    """Whether a pixel spacing in mm is possible."""
    return all(math.isfinite(distance) and _FINEST <= distance <= _COARSEST for distance in spacing_mm)


def is_possible_aspect(pixel_aspect: float) -> bool:
    """Whether a pixel's height divided by its width is possible."""
    return 1 / _LONGEST_PIXEL <= pixel_aspect <= _LONGEST_PIXEL


def is_square(pixel_aspect: float) -> bool:
    """Whether a pixel counts as square, from its height divided by its width."""
    return abs(pixel_aspect - 1) < _SQUARE
