"""The size that a compressed picture itself says it has, whatever the file around it says, before it is decoded."""

from __future__ import annotations

import struct

from napari_segcam.budget import refuse_large_frame
from napari_segcam.errors import SegcamError

_MOST_SCANS = 100  # a progressive JPEG has about ten; each costs a pass over the whole picture

_START_OF_SCAN = 0xDA
# Start of frame, of all kinds of JPEG (ITU-T T.81, table B.1; T.87 for JPEG-LS).
_STARTS_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_STAND_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def refuse_large_picture(name: str, coded: bytes) -> None:
    """Refuse a JPEG, JPEG-LS or JPEG 2000 stream that would become too large a picture, or take too long.

    Args:
        name: of the file, for the error.
        coded: the stream; others pass.

    Raises:
        SegcamError: if the picture is larger than the budget.
    """
    shape = coded_shape(coded)
    if shape is not None:
        refuse_large_frame(name, shape)
    if coded.startswith(b"\xff\xd8") and coded.count(b"\xff\xda") > _MOST_SCANS:
        raise SegcamError(f"{name} holds a JPEG picture of more than {_MOST_SCANS} scans, which is not decoded.")


def coded_shape(coded: bytes) -> tuple[int, int, int] | None:
    """``(Y, X, samples)`` of a JPEG, JPEG-LS or JPEG 2000 stream; None where there is no telling."""
    try:
        if coded.startswith(b"\xff\xd8"):
            return _of_jpeg(coded)
        start = coded.find(b"\xff\x4f\xff\x51") if coded.startswith((b"\xff\x4f", b"\0\0\0\x0cjP")) else -1
        return None if start < 0 else _of_jpeg_2000(coded, start + 4)
    except struct.error:  # cut short
        return None


def _of_jpeg(coded: bytes) -> tuple[int, int, int] | None:
    place = 2
    while place + 4 <= len(coded) and coded[place] == 0xFF:
        marker = coded[place + 1]
        if marker == 0xFF:  # fill bytes
            place += 1
        elif marker in _STAND_ALONE:
            place += 2
        elif marker in _STARTS_OF_FRAME:
            height, width, samples = struct.unpack_from(">HHB", coded, place + 5)
            return height, width, samples
        elif marker == _START_OF_SCAN:
            return None
        else:
            place += 2 + struct.unpack_from(">H", coded, place + 2)[0]
    return None


def _of_jpeg_2000(coded: bytes, place: int) -> tuple[int, int, int]:
    # Length, capabilities, then the reference grid's size and offset, and those of its tiles (ITU-T T.800, A.5.1).
    width, height, left, top = struct.unpack_from(">IIII", coded, place + 4)
    (samples,) = struct.unpack_from(">H", coded, place + 36)
    return height - top, width - left, samples


def transforms_colors(coded: bytes) -> bool:
    """Whether a JPEG 2000 stream turns what it holds into RGB (ITU-T T.800, A.6.1)."""
    start = max(0, coded.find(b"\xff\x4f\xff\x51"))
    at = coded.find(b"\xff\x52", start)  # coding style, in the main header
    return at >= 0 and coded[at + 8 : at + 9] == b"\x01"
