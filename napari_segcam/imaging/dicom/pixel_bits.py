"""Pixel bits: the bits of a stored value that hold the pixel, if a DICOM header leaves some unused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset


@dataclass(frozen=True)
class PixelBits:
    """Bits of a value that hold the pixel.

    Attributes:
        stored: number of these bits.
        above: number of bits above them, which are not part of the pixel.
        note: for the user, or None.
    """

    stored: int
    above: int
    note: str | None = None

    def __call__(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return the pixels of integer values, signed or not."""
        bits = 8 * values.dtype.itemsize
        return np.asarray(np.left_shift(values, self.above) >> (bits - self.stored))


def pixel_bits(header: Dataset, values: NDArray[np.generic]) -> PixelBits:
    """Return the bits that hold the pixel: those up to High Bit, unless the values show that this is wrong.

    Args:
        header: with Bits Stored, and High Bit if present.
        values: integers of a frame, with all their bits.
    """
    bits, stored, high = 8 * values.dtype.itemsize, int(header.BitsStored), header.get("HighBit")
    values = values.astype(values.dtype.newbyteorder("="))
    used = int(np.bitwise_or.reduce(values.view(f"u{values.dtype.itemsize}"), axis=None))
    low = PixelBits(stored, bits - stored)
    is_sign = values.dtype.kind == "i" and bool((low(values) == values).all())
    if used and (not used >> stored or is_sign):
        return low
    if high is not None and stored - 1 < high < bits:
        lowest = int(high) + 1 - stored
        return PixelBits(stored, bits - 1 - int(high), f"Its pixels are the bits {lowest} to {high} of the values.")
    if not used:
        return low
    return PixelBits(
        stored,
        low.above,
        f"Its values use more than the {stored} bits of the pixels in the header. The content of the other bits, such "
        "as an overlay, is ignored.",
    )
