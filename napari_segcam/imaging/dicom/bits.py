"""Which bits of a stored value are the pixel, where a DICOM header leaves some of them unused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset


@dataclass(frozen=True)
class PixelBits:
    """The bits of a value that are its pixel.

    Attributes:
        stored: how many.
        above: how many lie above them, which are no part of the pixel.
        note: what is to be said of them, None if nothing.
    """

    stored: int
    above: int
    note: str | None = None

    def __call__(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """The pixels of whole values, signed or not."""
        bits = 8 * values.dtype.itemsize
        return np.asarray(np.left_shift(values, self.above) >> (bits - self.stored))


def pixel_bits(header: Dataset, values: NDArray[np.generic]) -> PixelBits:
    """The bits that are the pixel: those below High Bit, unless the values show that this is wrong.

    Args:
        header: with Bits Stored, and High Bit if it has that.
        values: whole ones of a frame, with all bits that they have.
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
        f"Its values use more than the {stored} bits that the header says are the picture. What is in the others, "
        "such as an overlay, is left out.",
    )
