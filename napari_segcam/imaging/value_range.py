"""What black and white are: what the file says, else what the values show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError

# Bits per pixel that scanners and cameras use.
_DEPTHS = (8, 10, 12, 14, 16)
# A picture that uses less of the range from black to white is hardly seen.
SMALLEST_SHARE = 1 / 8
_SAMPLED_PIXELS = 200_000
# Hot pixels and burned-in white must not decide: this many per cent at either end of the values do not.
_FRINGE = 0.1


@dataclass(frozen=True)
class ValueRange:
    """The values that mean black and white.

    Attributes:
        black: the value.
        white: the value, which is larger.
        reason: who says so, in words that follow "black and white are from".
        is_assumed: whether nobody says so, so that the user should be told.
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
    """How far the values of some frames reach.

    Attributes:
        low: the smallest value.
        high: the largest value.
        dark: the smallest but for a fringe of outliers.
        bright: the largest but for a fringe of outliers.
    """

    low: float
    high: float
    dark: float
    bright: float

    @classmethod
    def of(cls, frame: NDArray[np.generic]) -> Spread | None:
        """Of a frame; None where it holds no finite value."""
        values = np.asarray(frame).reshape(-1)
        if values.dtype == bool:
            values = values.astype(np.uint8)
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if not values.size:
            return None
        step = max(1, values.size // _SAMPLED_PIXELS)
        dark, bright = np.percentile(values[::step].astype(np.float64), (_FRINGE, 100 - _FRINGE))
        low, high = float(values.min()), float(values.max())
        return cls(low, high, float(dark), float(bright)) if dark < bright else cls(low, high, low, high)

    def joined(self, other: Spread) -> Spread:
        """Of the frames of both."""
        return Spread(
            min(self.low, other.low),
            max(self.high, other.high),
            min(self.dark, other.dark),
            max(self.bright, other.bright),
        )

    @property
    def is_flat(self) -> bool:
        """Whether there is but one value."""
        return self.low == self.high

    def is_within(self, black: float, white: float) -> bool:
        """Whether a range from black to white leaves anything of the picture."""
        return self.is_flat or (self.low < white and self.high > black)

    def share_of(self, black: float, white: float) -> float:
        """How much of the range from black to white the values use, outliers aside, 0 to 1."""
        return max(0.0, min(self.bright, white) - max(self.dark, black)) / (white - black)


def range_of_bits(bits: int, *, signed: bool = False) -> tuple[float, float]:
    """The smallest and the largest whole number of so many bits."""
    lowest = -(2 ** (bits - 1)) if signed else 0
    return float(lowest), float(lowest + 2**bits - 1)


def range_of_type(dtype: np.dtype[Any]) -> tuple[float, float] | None:
    """The range of a type that tells black and white by itself: 8-bit pictures and masks; None for others."""
    if dtype.kind == "b":
        return 0.0, 1.0
    return (0.0, 255.0) if dtype == np.uint8 else None


def value_range_of(frame: NDArray[np.generic], name: str = "the frame") -> tuple[float, float]:
    """The values that mean black and white in a single frame of which nothing else is known.

    Raises:
        SegcamError: if its values are no real numbers, or lie outside the usual ranges.
    """
    if frame.dtype.kind not in "buif":
        raise SegcamError(f"The values of {name} must be real numbers, but they are {frame.dtype}.")
    if (fixed := range_of_type(frame.dtype)) is not None:
        return fixed
    spread = Spread.of(frame)
    if spread is None:
        return 0.0, 1.0
    if frame.dtype.kind == "f":
        found = next((white for white in (1.0, 255.0) if spread.low >= 0 and spread.high <= white), None)
        if found is not None:
            return 0.0, found
    else:
        judged = range_of_values(spread, frame.dtype)
        if not judged.is_assumed or (judged.black == 0 and judged.white in [2**bits - 1 for bits in _DEPTHS]):
            return judged.limits
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
    """The values that mean black and white, judged by how far the values reach.

    It is the smallest usual range that holds them: 8, 10, 12, 14 or 16 bits of whole numbers, 0 to 1 for fractions.
    Where they use less than an eighth of every usual range that holds them, it is the values' own range.

    Args:
        spread: of a sample of frames; None where no frame could be read.
        dtype: of the frames.
        stored: the range of the bits that the file says it uses.
        extent: the smallest and the largest value of the frames, by the file.
    """
    if spread is None:
        black, white = stored or _range_of_whole_type(dtype)
        return ValueRange(black, white, "the data type")
    reason = f"the values, which run from {spread.low:g} to {spread.high:g}"
    is_known = extent is not None and spread.share_of(*extent) >= SMALLEST_SHARE
    if extent is not None and is_known:
        spread = spread.joined(Spread(*extent, *extent))
        reason = f"the values, which by the file run from {spread.low:g} to {spread.high:g}"
    if stored is not None and stored != _range_of_whole_type(dtype) and spread.share_of(*stored) >= SMALLEST_SHARE:
        return ValueRange(*stored, f"the {round(math.log2(stored[1] - stored[0] + 1))} bits that the file stores")
    for low, high in ((spread.low, spread.high), (spread.dark, spread.bright)):  # without outliers if need be
        for black, white in _usual_ranges(dtype, low, high):
            if black <= low and high <= white and _fills(spread, dtype, black, white):
                is_whole = dtype.kind in "iu" and (black, white) == _range_of_whole_type(dtype)
                is_usual = is_whole or (dtype.kind == "f" and (black, white) == (0, 1))
                return ValueRange(black, white, reason, is_assumed=not is_usual and not is_known)
    low, high = _without_outliers(spread)
    if low == high:
        low, high = (low, low + 1) if low <= 0 else (0.0, high)
    return ValueRange(low, high, reason, is_assumed=not is_known)


def to_unit(frame: NDArray[np.generic], black: float, white: float) -> NDArray[np.float32]:
    """A frame's values with black at 0 and white at 1; what lies beyond is black or white.

    Whole numbers of more than 16 bits and float64 keep their precision until black is subtracted.

    Args:
        frame: any shape, any real dtype.
        black: the value.
        white: the value, which is larger.
    """
    is_exact = frame.dtype.itemsize <= (4 if frame.dtype.kind == "f" else 2)
    values: NDArray[Any] = frame.astype(np.float32 if is_exact else np.float64)
    values -= black
    values /= white - black
    return np.clip(values, 0, 1, out=values).astype(np.float32, copy=False)


def _usual_ranges(dtype: np.dtype[Any], low: float, high: float) -> list[tuple[float, float]]:
    """Ranges that pictures of a type usually have, the smallest first; with negative values the signed ones."""
    signed = low < 0
    depths = [range_of_bits(bits, signed=signed) for bits in _DEPTHS]
    if dtype.kind == "f":
        return [(-1.0 if signed else 0.0, 1.0), *depths]
    bits = 8 * dtype.itemsize
    # Without negative values a signed type has a bit less.
    whole = range_of_bits(bits, signed=True) if signed else range_of_bits(bits - (dtype.kind == "i"))
    usual = {one for one in depths if one[1] <= whole[1]}
    return sorted(usual | {whole} if bits <= 16 or high > whole[1] / 2 else usual, key=lambda one: one[1])


def _fills(spread: Spread, dtype: np.dtype[Any], black: float, white: float) -> bool:
    """Whether the values use enough of a range to believe in it."""
    if black < 0:  # zero is gray then, so a picture that uses one half is not of this range
        return spread.share_of(black, white) >= 0.5
    is_byte = dtype.kind in "iu" and white == 255  # a dark picture in 8 bits is as dark in a wider type
    return is_byte or spread.is_flat or spread.share_of(black, white) >= SMALLEST_SHARE


def _without_outliers(spread: Spread) -> tuple[float, float]:
    """The range of the values, without those that would make it more than twice as large."""
    if spread.high - spread.low <= 2 * (spread.bright - spread.dark):
        return spread.low, spread.high
    return spread.dark, spread.bright


def _range_of_whole_type(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype.name)
        return float(limits.min), float(limits.max)
    return 0.0, 1.0
