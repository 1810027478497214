"""Whether a video file is cut short: how long it says it is, and how long it is."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from napari_segcam.imaging.file_kind import HEAD_LENGTH, video_format

_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_SEARCHED = 1 << 16
_MOST_CHUNKS = 100_000
_EBML_SEGMENT = 0x18538067


@dataclass(frozen=True)
class Cut:
    """What a file lacks.

    Attributes:
        there: bytes.
        whole: bytes that it says it has; None where it does not say.
        whole_frames: how many frames are whole, where the last one that a decoder gives may not be; None elsewhere.
    """

    there: int
    whole: int | None
    whole_frames: int | None = None

    @property
    def in_words(self) -> str:
        """In a sentence."""
        if self.whole is None:
            return "The file is cut short: its end is missing, and how much that is cannot be told."
        missing = self.whole - self.there
        return f"The file is cut short: {missing} of its {self.whole} bytes ({missing / self.whole:.0%}) are missing."


def find_cut(path: Path) -> Cut | None:
    """What a video file lacks at its end; None where it is whole, or its format does not tell.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        kind = video_format(file.read(HEAD_LENGTH))
        there = os.fstat(file.fileno()).st_size
        if kind == "gif":
            frames, is_closed = _frames_of_gif(file)
            return None if is_closed else Cut(there, None, frames)
        lengths = {"avi": _riff_length, "mov": _box_length, "matroska": _ebml_length, "asf": _asf_length}
        whole = lengths[kind](file, there) if kind in lengths else None
        return Cut(there, whole) if whole is not None and whole > there else None


def _frames_of_gif(file: BinaryIO) -> tuple[int, bool]:
    """How many pictures of a GIF file are whole, and whether it has an end."""
    file.seek(0)
    head = file.read(13)
    file.seek(_colors(head[10]) if len(head) == 13 else 0, os.SEEK_CUR)
    frames = 0
    while kind := file.read(1):
        if kind == b";":
            return frames, True
        if kind == b",":
            place = file.read(9)
            if len(place) < 9:
                break
            file.seek(_colors(place[8]) + 1, os.SEEK_CUR)
        elif kind == b"!":
            file.seek(1, os.SEEK_CUR)
        else:  # damaged
            return frames, False
        if not _skip_blocks(file):
            break
        frames += kind == b","
    return frames, False


def _colors(flags: int) -> int:
    """Bytes of the color table that these flags announce."""
    return 3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0


def _skip_blocks(file: BinaryIO) -> bool:
    """Skip blocks up to the empty one that ends them; whether it is there."""
    while length := file.read(1):
        if length == b"\0":
            return True
        file.seek(length[0], os.SEEK_CUR)
    return False


def _riff_length(file: BinaryIO, there: int) -> int:
    """Of a RIFF file, whose lists follow one another."""
    at = 0
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[:4] != b"RIFF":
            break
        (length,) = struct.unpack("<L", head[4:])
        if length in (0, 0xFFFFFFFF):  # never filled in
            return there
        at += 8 + length
    return at


def _box_length(file: BinaryIO, _there: int) -> int:
    """Of an MP4 or QuickTime file, whose boxes follow one another."""
    at = 0
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8 or not head[4:8].isalnum():
            break
        (length,) = struct.unpack(">L", head[:4])
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
        if length < 8:  # to the end of the file, or damaged
            break
        at += length
    return at


def _ebml_length(file: BinaryIO, _there: int) -> int | None:
    """Of a Matroska or WebM file: a header and a segment."""
    file.seek(0)
    at = 0
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(12)
        if len(head) < 12:
            break
        id_length, (length, size_length) = _number_length(head[0]), _number(head[_number_length(head[0]) :])
        identity = int.from_bytes(head[:id_length], "big")
        if length is None:  # written without knowing its end
            return None
        at += id_length + size_length + length
        if identity == _EBML_SEGMENT:
            break
    return at


def _number_length(first: int) -> int:
    """Bytes of an EBML number that begins with this byte."""
    return 9 - first.bit_length() if first else 1


def _number(head: bytes) -> tuple[int | None, int]:
    """An EBML number, None if it stands for unknown, and its bytes."""
    length = _number_length(head[0])
    value = int.from_bytes(head[:length], "big") - (1 << (7 * length))
    return (None if value == (1 << (7 * length)) - 1 else value), length


def _asf_length(file: BinaryIO, _there: int) -> int | None:
    """Of a Windows Media file, which states it in its properties."""
    file.seek(0)
    head = file.read(_ASF_SEARCHED)
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or len(head) < at + 48:
        return None
    (length,) = struct.unpack("<Q", head[at + 40 : at + 48])
    return int(length) or None
