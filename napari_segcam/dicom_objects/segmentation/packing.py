"""Packing: masks as the pixel data of a Segmentation, frame after frame, without keeping the masks."""

from __future__ import annotations

import zlib
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless

from napari_segcam.dicom_objects.segmentation.run_lengths import run_length_encoded
from napari_segcam.errors import SegcamError

MAXIMUM_FRACTION = 255
"""The stored value of probability 1; others are rounded to the nearest of the 256 steps."""

UNCOMPRESSED_DATA = 2**24
"""Most bytes of pixel data that are not compressed: every program reads them."""

DEFLATED_DATA = 2**28
"""Most bytes of the pixel data of a label map that are deflated, which takes a multiple of it in memory."""

LONGEST_DATA = 2**30
"""Most bytes of the pixel data of bits, which are in memory as a whole while a file is written."""


class Packer(Protocol):
    """Takes the planes of a Segmentation one by one, and gives its pixel data at the end."""

    def add(self, plane: NDArray[np.generic]) -> None:
        """Add one plane ``(Y, X)``."""

    def packed(self) -> tuple[bytes, UID]:
        """Return the pixel data, of an even number of bytes, and the transfer syntax that they need."""


class BitPacker:
    """Packs masks as one stream of bits without gaps between frames (PS3.5, section 8.1.1).

    The first pixel is the lowest bit of the first byte. Long data are deflated together with their header when the file
    is written: RLE is not defined for single bits.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._rest = np.zeros(0, bool)
        self._size = 0

    def add(self, plane: NDArray[np.generic]) -> None:
        """Add one mask ``(Y, X)``."""
        mask = plane.astype(bool, copy=False).ravel()
        bits = np.concatenate([self._rest, mask]) if self._rest.size else mask
        whole = bits.size // 8 * 8
        self._parts.append(np.packbits(bits[:whole], bitorder="little").tobytes())
        self._rest = bits[whole:].copy()
        self._size += whole // 8
        if self._size > LONGEST_DATA:
            raise SegcamError(
                f"The segmentation would take more than {LONGEST_DATA // 2**20} MB before it is compressed. Write it "
                "in parts with fewer frames."
            )

    def packed(self) -> tuple[bytes, UID]:
        """Return the pixel data and their transfer syntax."""
        data = b"".join([*self._parts, np.packbits(self._rest, bitorder="little").tobytes()])
        syntax = ExplicitVRLittleEndian if len(data) <= UNCOMPRESSED_DATA else DeflatedExplicitVRLittleEndian
        return data + b"\0" * (len(data) % 2), syntax


class BytePacker:
    """Packs planes of whole bytes; those of long data are held compressed until the end.

    Long data are run-length encoded, or deflated together with their header when the file is written.

    Args:
        itemsize: bytes of a pixel, 1 or 2.
        deflates: whether to prefer deflation, which is several times smaller where most pixels are equal.
    """

    def __init__(self, itemsize: int = 1, *, deflates: bool = False) -> None:
        self._longest = max(UNCOMPRESSED_DATA, DEFLATED_DATA if deflates else 0)
        self._type = np.dtype(f"<u{itemsize}")
        self._shape: tuple[int, ...] = ()
        self._native: list[bytes] = []
        self._held: list[bytes] = []
        self._size = 0

    def add(self, plane: NDArray[np.generic]) -> None:
        """Add one plane ``(Y, X)``."""
        self._shape = plane.shape
        data = np.ascontiguousarray(plane, self._type).tobytes()
        self._size += len(data)
        self._native.append(data)
        if self._size > self._longest:
            self._held += [zlib.compress(part, 1) for part in self._native]
            self._native.clear()

    def packed(self) -> tuple[bytes, UID]:
        """Return the pixel data and their transfer syntax."""
        if self._size <= self._longest:
            syntax = ExplicitVRLittleEndian if self._size <= UNCOMPRESSED_DATA else DeflatedExplicitVRLittleEndian
            return b"".join([*self._native, b"\0" * (self._size % 2)]), syntax
        planes = (np.frombuffer(zlib.decompress(part), self._type).reshape(self._shape) for part in self._held)
        return encapsulate([run_length_encoded(plane) for plane in planes]), RLELossless


def as_fractions(probabilities: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return probabilities, 0 to 1, as the nearest of 256 steps.

    Raises:
        SegcamError: if one is no number or out of range.
    """
    if not (np.isfinite(probabilities).all() and probabilities.min() >= 0 and probabilities.max() <= 1):
        raise SegcamError("A probability of this frame is not between 0 and 1, so that it cannot be written.")
    return np.rint(probabilities.astype(np.float32) * MAXIMUM_FRACTION).astype(np.uint8)
