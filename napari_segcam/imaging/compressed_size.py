"""Size of a compressed image from its own stream, before decoding; the file around it may state another."""

from __future__ import annotations

import struct

from napari_segcam.budget import refuse_large_frame
from napari_segcam.errors import SegcamError

_MAX_SCANS = 100  # a progressive JPEG has about ten; each costs a pass over the whole image

_START_OF_SCAN = 0xDA
# Start of frame, of all kinds of JPEG (ITU-T T.81, table B.1; T.87 for JPEG-LS).
_STARTS_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_STAND_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def refuse_large_picture(name: str, coded: bytes) -> None:
    """Refuse a JPEG, JPEG-LS or JPEG 2000 stream whose image is too large or takes too long to decode.

    Args:
        name: of the file, for the error.
        coded: the stream; streams of other kinds pass.

    Raises:
        SegcamError: if the image is larger than the budget.
    """
    shape = stream_shape(coded)
    if shape is not None:
        refuse_large_frame(name, shape)
    if coded.startswith(b"\xff\xd8") and coded.count(b"\xff\xda") > _MAX_SCANS:
        raise SegcamError(f"{name} holds a JPEG image of more than {_MAX_SCANS} scans, which is not decoded.")


def stream_shape(coded: bytes) -> tuple[int, int, int] | None:
    """Return ``(Y, X, samples)`` of a JPEG, JPEG-LS or JPEG 2000 stream, or None if unknown."""
    try:
        if coded.startswith(b"\xff\xd8"):
            return _jpeg_shape(coded)
        start = coded.find(b"\xff\x4f\xff\x51") if coded.startswith((b"\xff\x4f", b"\0\0\0\x0cjP")) else -1
        return None if start < 0 else _jpeg_2000_shape(coded, start + 4)
    except struct.error:  # cut short
        return None


def _jpeg_shape(coded: bytes) -> tuple[int, int, int] | None:
    position = 2
    while position + 4 <= len(coded) and coded[position] == 0xFF:
        marker = coded[position + 1]
        if marker == 0xFF:  # fill bytes
            position += 1
        elif marker in _STAND_ALONE:
            position += 2
        elif marker in _STARTS_OF_FRAME:
            height, width, samples = struct.unpack_from(">HHB", coded, position + 5)
            return height, width, samples
        elif marker == _START_OF_SCAN:
            return None
        else:
            position += 2 + struct.unpack_from(">H", coded, position + 2)[0]
    return None


def _jpeg_2000_shape(coded: bytes, position: int) -> tuple[int, int, int]:
    # Length, capabilities, then the reference grid's size and offset, and those of its tiles (ITU-T T.800, A.5.1).
    width, height, left, top = struct.unpack_from(">IIII", coded, position + 4)
    (samples,) = struct.unpack_from(">H", coded, position + 36)
    return height - top, width - left, samples


def transforms_colors(coded: bytes) -> bool:
    """Whether decoding a JPEG 2000 stream converts its colors to RGB (ITU-T T.800, A.6.1)."""
    start = max(0, coded.find(b"\xff\x4f\xff\x51"))
    style = coded.find(b"\xff\x52", start)  # coding style, in the main header
    return style >= 0 and coded[style + 8 : style + 9] == b"\x01"
