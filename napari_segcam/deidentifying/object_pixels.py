"""Pixels of objects that are no pictures: masks of segmentations and values of parametric maps, copied as they are."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom import Dataset
from pydicom.pixels import iter_pixels

from napari_segcam.budget import refuse_large_frame
from napari_segcam.deidentifying.pixels.writing import FLOAT_PIXEL_DATA, PIXEL_DATA, append_native
from napari_segcam.deidentifying.records import CopyRecord

_PIECE = 2**22
_FLOAT, _DOUBLE = (0x7FE0, 0x0008), (0x7FE0, 0x0009)
_UNDEFINED_LENGTH = 0xFFFFFFFF


def append_object_pixels(target: Path, path: Path, header: Dataset, record: CopyRecord) -> None:
    """Append the pixel data of an object to its copy, if it has any; compressed ones are stored uncompressed.

    Only the bytes of the frames are copied, not what may follow them.

    Args:
        target: the copy, which ends with its header.
        path: of the file.
        header: of the file.
        record: gets what was done.

    Raises:
        ValueError: if the pixel data are not what the header says.
    """
    if "Rows" not in header or "BitsAllocated" not in header:
        return
    frames = int(header.get("NumberOfFrames") or 1)
    rows, columns, bits = int(header.Rows), int(header.Columns), int(header.BitsAllocated)
    refuse_large_frame(path.name, (rows, columns), max(1, bits // 8), frames)
    syntax = header.file_meta.TransferSyntaxUID
    record.frames, record.region = frames, "all: it holds no picture"
    if syntax.is_encapsulated:
        if bits != 8:
            raise ValueError(f"{bits} bits compressed as {syntax.name} are not supported")
        stream = (np.asarray(frame, np.uint8).tobytes() for frame in iter_pixels(path, raw=True))
        append_native(target, stream, rows * columns * frames, vr="OB")
        record.pixels = f"{syntax.name} in the file; stored uncompressed, which loses nothing"
        return
    if not syntax.is_little_endian:
        raise ValueError("it is stored in big-endian order, which is not supported for this kind of object")
    with path.open("rb") as file:
        tag, vr, length = _pixel_element(file, header)
        size = -(-rows * columns * frames * bits // 8)
        if length < size or length == _UNDEFINED_LENGTH:
            raise ValueError("its pixel data are cut short")
        append_native(
            target, _pieces(file, size, rows * columns * frames % 8 if bits == 1 else 0), size, vr=vr, tag=tag
        )
    record.pixels = "lossless: as in the file"


def _pixel_element(file: BinaryIO, header: Dataset) -> tuple[int, str, int]:
    """Return tag, VR and length of the pixel data, and leave the file at their value."""
    from pydicom import dcmread

    dcmread(file, stop_before_pixels=True, force=True, specific_tags=["Rows"])
    start = file.read(8)
    group, element = struct.unpack("<HH", start[:4])
    bits = int(header.BitsAllocated)
    if (group, element) not in ((0x7FE0, 0x0010), _FLOAT):
        raise ValueError("it has no pixel data of a known type")
    if header.file_meta.TransferSyntaxUID.is_implicit_VR:
        (length,) = struct.unpack("<L", start[4:])
    else:
        (length,) = struct.unpack("<L", file.read(4))
    if (group, element) == _FLOAT:
        return FLOAT_PIXEL_DATA, "OF", length
    return PIXEL_DATA, "OB" if bits <= 8 else "OW", length


def _pieces(file: BinaryIO, size: int, bits_of_last: int) -> Iterator[bytes]:
    """Yield the bytes of the frames; bits after the last pixel are cleared."""
    left = size
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:
            return
        left -= len(piece)
        if not left and bits_of_last:
            piece = piece[:-1] + bytes([piece[-1] & ((1 << bits_of_last) - 1)])
        yield piece
