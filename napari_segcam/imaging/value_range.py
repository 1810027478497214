"""Value range: the values of black and white, from the file or else from the pixel values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError

# Bits per pixel that scanners and cameras use.
_DEPTHS = (8, 10, 12, 14, 16)
# An image that uses less of the range from black to white is hardly visible.
SMALLEST_SHARE = 1 / 8
_SAMPLED_PIXELS = 200_000
# Percentage of values at each end that is ignored, as hot pixels and burned-in white must not set the range.
_OUTLIER_PERCENT = 0.1


@dataclass(frozen=True)
class ValueRange:
    """Values of black and white.

    Attributes:
        black: its value.
        white: its value, which is larger.
        reason: the source, in words that follow "black and white are from".
        is_assumed: whether it is only an assumption, so that the user should know.
    """

    black: float
    white: float
    reason: str
    is_assumed: bool = False

    @property
    def limits(self) -> tuple[float, float]:
        """Black and white."""
        return self.black, self.white


@dataclass(frozen=True)
class Spread:
    """Spread of the values of some frames.

    Attributes:
        low: the smallest value.
        high: the largest value.
        dark: the smallest value without outliers.
        bright: the largest value without outliers.
    """

    low: float
    high: float
    dark: float
    bright: float

    @classmethod
    def of(cls, frame: NDArray[np.generic]) -> Spread | None:
        """Return the spread of a frame; None if it has no finite value."""
        values = np.asarray(frame).reshape(-1)
        if values.dtype == bool:
            values = values.astype(np.uint8)
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if not values.size:
            return None
        step = max(1, values.size // _SAMPLED_PIXELS)
        dark, bright = np.percentile(values[::step].astype(np.float64), (_OUTLIER_PERCENT, 100 - _OUTLIER_PERCENT))
        low, high = float(values.min()), float(values.max())
        return cls(low, high, float(dark), float(bright)) if dark < bright else cls(low, high, low, high)

    def union(self, other: Spread) -> Spread:
        """Return the spread of the frames of both."""
        return Spread(
            min(self.low, other.low),
            max(self.high, other.high),
            min(self.dark, other.dark),
            max(self.bright, other.bright),
        )

    @property
    def is_flat(self) -> bool:
        """Whether there is only one value."""
        return self.low == self.high

    def is_within(self, black: float, white: float) -> bool:
        """Whether some values are within the range from black to white."""
        return self.is_flat or (self.low < white and self.high > black)

    def share_of(self, black: float, white: float) -> float:
        """Return the share of the range from black to white that the values use without outliers, 0 to 1."""
        return max(0.0, min(self.bright, white) - max(self.dark, black)) / (white - black)


def range_of_bits(bits: int, *, signed: bool = False) -> tuple[float, float]:
    """Return the smallest and the largest integer of a number of bits."""
    lowest = -(2 ** (bits - 1)) if signed else 0
    return float(lowest), float(lowest + 2**bits - 1)


def range_of_type(dtype: np.dtype[Any]) -> tuple[float, float] | None:
    """Return the range of a type that defines black and white, which are 8-bit images and masks; None for others."""
    if dtype.kind == "b":
        return 0.0, 1.0
    return (0.0, 255.0) if dtype == np.uint8 else None


def value_range_of(frame: NDArray[np.generic], name: str = "the frame") -> tuple[float, float]:
    """Return the values of black and white of a single frame about which nothing else is known.

    Raises:
        SegcamError: if its values are not real numbers, or are outside the usual ranges.
    """
    if frame.dtype.kind not in "buif":
        raise SegcamError(f"The values of {name} must be real numbers, but they are {frame.dtype}.")
    if (fixed := range_of_type(frame.dtype)) is not None:
        return fixed
    spread = Spread.of(frame)
    if spread is None:
        return 0.0, 1.0
    if frame.dtype.kind == "f":
        usual_white = next((white for white in (1.0, 255.0) if spread.low >= 0 and spread.high <= white), None)
        if usual_white is not None:
            return 0.0, usual_white
    else:
        estimated = range_of_values(spread, frame.dtype)
        is_usual = estimated.black == 0 and estimated.white in [2**bits - 1 for bits in _DEPTHS]
        if not estimated.is_assumed or is_usual:
            return estimated.limits
    raise SegcamError(
        f"The values of {name} run from {spread.low:g} to {spread.high:g}: it is not clear which are black and white. "
        "Scale the image to 0–1 or 0–255, or give the value range."
    )


def range_of_values(
    spread: Spread | None,
    dtype: np.dtype[Any],
    stored: tuple[float, float] | None = None,
    extent: tuple[float, float] | None = None,
) -> ValueRange:
    """Estimate the values of black and white from the spread of the values.

    The result is the smallest usual range that holds them: 8, 10, 12, 14 or 16 bits for integers, 0 to 1 for floats.
    If they use less than an eighth of every usual range that holds them, it is their own range.

    Args:
        spread: of a sample of frames; None if no frame could be read.
        dtype: of the frames.
        stored: range of the bits that the file uses, from the file.
        extent: smallest and largest value of the frames, from the file.
    """
    if spread is None:
        black, white = stored or _full_range_of_type(dtype)
        return ValueRange(black, white, "the data type")
    reason = f"the values, which run from {spread.low:g} to {spread.high:g}"
    is_known = extent is not None and spread.share_of(*extent) >= SMALLEST_SHARE
    if extent is not None and is_known:
        spread = spread.union(Spread(*extent, *extent))
        reason = f"the values, which by the file run from {spread.low:g} to {spread.high:g}"
    if stored is not None and stored != _full_range_of_type(dtype) and spread.share_of(*stored) >= SMALLEST_SHARE:
        return ValueRange(*stored, f"the {round(math.log2(stored[1] - stored[0] + 1))} bits that the file stores")
    for low, high in ((spread.low, spread.high), (spread.dark, spread.bright)):  # if that fails, without outliers
        for black, white in _usual_ranges(dtype, low, high):
            if black <= low and high <= white and _fits_well(spread, dtype, black, white):
                is_full = dtype.kind in "iu" and (black, white) == _full_range_of_type(dtype)
                is_usual = is_full or (dtype.kind == "f" and (black, white) == (0, 1))
                return ValueRange(black, white, reason, is_assumed=not is_usual and not is_known)
    low, high = _without_outliers(spread)
    if low == high:
        low, high = (low, low + 1) if low <= 0 else (0.0, high)
    return ValueRange(low, high, reason, is_assumed=not is_known)


def to_unit(frame: NDArray[np.generic], black: float, white: float) -> NDArray[np.float32]:
    """Scale a frame's values so that black is 0 and white is 1; values beyond become black or white.

    Integers of more than 16 bits and float64 keep their precision until black is subtracted.

    Args:
        frame: any shape, any real dtype.
        black: its value.
        white: its value, which is larger.
    """
    is_exact = frame.dtype.itemsize <= (4 if frame.dtype.kind == "f" else 2)
    values: NDArray[Any] = frame.astype(np.float32 if is_exact else np.float64)
    values -= black
    values /= white - black
    return np.clip(values, 0, 1, out=values).astype(np.float32, copy=False)


def _usual_ranges(dtype: np.dtype[Any], low: float, high: float) -> list[tuple[float, float]]:
    """Return the usual ranges of images of a type, the smallest first; signed ranges if values are negative."""
    signed = low < 0
    depths = [range_of_bits(bits, signed=signed) for bits in _DEPTHS]
    if dtype.kind == "f":
        return [(-1.0 if signed else 0.0, 1.0), *depths]
    bits = 8 * dtype.itemsize
    # A signed type without negative values has one bit less.
    full = range_of_bits(bits, signed=True) if signed else range_of_bits(bits - (dtype.kind == "i"))
    usual = {limits for limits in depths if limits[1] <= full[1]}
    return sorted(usual | {full} if bits <= 16 or high > full[1] / 2 else usual, key=lambda limits: limits[1])


def _fits_well(spread: Spread, dtype: np.dtype[Any], black: float, white: float) -> bool:
    """Whether the values use enough of a range to make it plausible."""
    if black < 0:  # zero is gray then, so an image that uses only one half does not have this range
        return spread.share_of(black, white) >= 0.5
    is_byte = dtype.kind in "iu" and white == 255  # a dark 8-bit image stays dark in a wider type
    return is_byte or spread.is_flat or spread.share_of(black, white) >= SMALLEST_SHARE


def _without_outliers(spread: Spread) -> tuple[float, float]:
    """Return the range of the values, without outliers if these make it more than twice as large."""
    if spread.high - spread.low <= 2 * (spread.bright - spread.dark):
        return spread.low, spread.high
    return spread.dark, spread.bright


def _full_range_of_type(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype.name)
        return float(limits.min), float(limits.max)
    return 0.0, 1.0
