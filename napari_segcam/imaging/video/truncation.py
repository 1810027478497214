"""Truncation: whether a video file is shorter than it states."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from napari_segcam.imaging.file_kind import HEAD_LENGTH, video_format

_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_SEARCHED = 1 << 16
_MAX_CHUNKS = 100_000
_EBML_SEGMENT = 0x18538067


@dataclass(frozen=True)
class Truncation:
    """A truncated file.

    Attributes:
        size: bytes of the file.
        stated_size: bytes that the file should have; None if not stated.
        complete_frames: number of complete frames, if the last decoded one may be incomplete; None otherwise.
    """

    size: int
    stated_size: int | None
    complete_frames: int | None = None

    @property
    def in_words(self) -> str:
        """Description for the user, in a sentence."""
        if self.stated_size is None:
            return "The file is cut short: its end is missing, and it is unknown how much."
        missing, stated = self.stated_size - self.size, self.stated_size
        return f"The file is cut short: {missing} of its {stated} bytes ({missing / stated:.0%}) are missing."


def find_truncation(path: Path) -> Truncation | None:
    """Find out whether a video file is truncated; None if it is complete, or its format does not state its size.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        kind = video_format(file.read(HEAD_LENGTH))
        size = os.fstat(file.fileno()).st_size
        if kind == "gif":
            frames, is_closed = _frames_of_gif(file)
            return None if is_closed else Truncation(size, None, frames)
        lengths = {"avi": _riff_length, "mov": _box_length, "matroska": _ebml_length, "asf": _asf_length}
        stated_size = lengths[kind](file, size) if kind in lengths else None
        return Truncation(size, stated_size) if stated_size is not None and stated_size > size else None


def _frames_of_gif(file: BinaryIO) -> tuple[int, bool]:
    """Return the number of complete images of a GIF file, and whether it has an end marker."""
    file.seek(0)
    head = file.read(13)
    file.seek(_color_table_length(head[10]) if len(head) == 13 else 0, os.SEEK_CUR)
    frames = 0
    while kind := file.read(1):
        if kind == b";":
            return frames, True
        if kind == b",":
            descriptor = file.read(9)
            if len(descriptor) < 9:
                break
            file.seek(_color_table_length(descriptor[8]) + 1, os.SEEK_CUR)
        elif kind == b"!":
            file.seek(1, os.SEEK_CUR)
        else:  # damaged
            return frames, False
        if not _skip_blocks(file):
            break
        frames += kind == b","
    return frames, False


def _color_table_length(flags: int) -> int:
    """Return the bytes of the color table for these flags."""
    return 3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0


def _skip_blocks(file: BinaryIO) -> bool:
    """Skip blocks up to the empty one at the end, and return whether it exists."""
    while length := file.read(1):
        if length == b"\0":
            return True
        file.seek(length[0], os.SEEK_CUR)
    return False


def _riff_length(file: BinaryIO, size: int) -> int:
    """Return the stated length of a RIFF file, which is a sequence of lists."""
    end = 0
    for _ in range(_MAX_CHUNKS):
        file.seek(end)
        head = file.read(8)
        if len(head) < 8 or head[:4] != b"RIFF":
            break
        (length,) = struct.unpack("<L", head[4:])
        if length in (0, 0xFFFFFFFF):  # never filled in
            return size
        end += 8 + length
    return end


def _box_length(file: BinaryIO, _size: int) -> int:
    """Return the stated length of an MP4 or QuickTime file, which is a sequence of boxes."""
    end = 0
    for _ in range(_MAX_CHUNKS):
        file.seek(end)
        head = file.read(16)
        if len(head) < 8 or not head[4:8].isalnum():
            break
        (length,) = struct.unpack(">L", head[:4])
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
        if length < 8:  # to the end of the file, or damaged
            break
        end += length
    return end


def _ebml_length(file: BinaryIO, _size: int) -> int | None:
    """Return the stated length of a Matroska or WebM file, which is a header and a segment."""
    file.seek(0)
    end = 0
    for _ in range(_MAX_CHUNKS):
        file.seek(end)
        head = file.read(12)
        if len(head) < 12:
            break
        id_length, (length, size_length) = _number_length(head[0]), _number(head[_number_length(head[0]) :])
        identity = int.from_bytes(head[:id_length], "big")
        if length is None:  # written without knowing its end
            return None
        end += id_length + size_length + length
        if identity == _EBML_SEGMENT:
            break
    return end


def _number_length(first: int) -> int:
    """Return the bytes of an EBML number that begins with this byte."""
    return 9 - first.bit_length() if first else 1


def _number(head: bytes) -> tuple[int | None, int]:
    """Return an EBML number, or None if it means unknown, and its length in bytes."""
    length = _number_length(head[0])
    value = int.from_bytes(head[:length], "big") - (1 << (7 * length))
    return (None if value == (1 << (7 * length)) - 1 else value), length


def _asf_length(file: BinaryIO, _size: int) -> int | None:
    """Return the stated length of a Windows Media file, from its properties."""
    file.seek(0)
    head = file.read(_ASF_SEARCHED)
    start = head.find(_ASF_PROPERTIES)
    if start < 0 or len(head) < start + 48:
        return None
    (length,) = struct.unpack("<Q", head[start + 40 : start + 48])
    return int(length) or None
