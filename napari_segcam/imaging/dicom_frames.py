"""Where in a DICOM file each frame lies, found once, so that any frame is read without touching the others."""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass
from typing import BinaryIO

_ITEM = 0xFFFEE000
_SEQUENCE_DELIMITER = 0xFFFEE0DD
# JPEG's end of image and JPEG 2000's end of codestream; padding may follow it.
_END_OF_FRAME = b"\xff\xd9"
_END_SEARCHED = 10


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


FrameSpans = tuple[Span, ...]


def locate_native(pixels: Span, frames: int, frame_length: int) -> list[FrameSpans]:
    """The frames of uncompressed pixel data, which lie one behind another.

    Raises:
        ValueError: if the pixel data do not hold all frames.
    """
    _refuse_missing(pixels.length // frame_length, frames)
    return [(Span(pixels.offset + index * frame_length, frame_length),) for index in range(frames)]


def locate_encapsulated(file: BinaryIO, start: int, file_length: int, frames: int) -> list[FrameSpans]:
    """The frames of compressed pixel data, each in one fragment or several (PS3.5, section A.4).

    Args:
        file: the DICOM file.
        start: where the value of the pixel data begins, with the basic offset table.
        file_length: bytes.
        frames: how many the header promises.

    Returns:
        For each frame its fragments, in order.

    Raises:
        ValueError: if the pixel data are not encapsulated, or do not hold all frames.
    """
    file.seek(start)
    table, *fragments = _items(file, file_length)
    if len(fragments) == frames:  # the usual case; an offset table, often wrong, would add nothing
        return [(fragment,) for fragment in fragments]
    if frames == 1 and fragments:
        return [tuple(fragments)]
    _refuse_missing(len(fragments), frames)
    grouped = _grouped_by_table(file, table, fragments, frames) or _grouped_by_end(file, fragments)
    _refuse_missing(len(grouped), frames)
    return grouped[:frames]


def locate_stream(file: BinaryIO, start: int, file_length: int) -> FrameSpans:
    """The fragments of compressed pixel data that are one stream, such as a video; in place of frames there is one.

    Raises:
        ValueError: if the pixel data are not encapsulated or missing.
    """
    file.seek(start)
    _, *fragments = _items(file, file_length)
    _refuse_missing(len(fragments), 1)
    return tuple(fragments)


def read_spans(file: BinaryIO, spans: FrameSpans) -> bytes:
    """The bytes of a frame, its fragments joined."""
    parts = []
    for span in spans:
        file.seek(span.offset)
        parts.append(file.read(span.length))
    return b"".join(parts)


def _items(file: BinaryIO, file_length: int) -> list[Span]:
    """The values of the sequence's items from here on, the offset table first; a last one that is cut short is not."""
    items = []
    while len(header := file.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", header)
        tag = group << 16 | element
        if tag == _SEQUENCE_DELIMITER:
            break
        if tag != _ITEM:
            raise ValueError("the compressed pixel data are damaged: a fragment does not begin where it should")
        item = Span(file.tell(), length)
        if item.end > file_length:
            break
        items.append(item)
        file.seek(item.end)
    if not items:
        raise ValueError("the file is cut short: its pixel data are missing")
    return items


def _grouped_by_table(file: BinaryIO, table: Span, fragments: list[Span], frames: int) -> list[FrameSpans]:
    """Fragments by frame as the basic offset table says; nothing if it does not go with the fragments."""
    if table.length != 4 * frames:
        return []
    starts = struct.unpack(f"<{frames}L", read_spans(file, (table,)))
    # Offsets count from the first fragment's item tag, 8 bytes before its value.
    places = {fragment.offset - 8 - table.end: fragment for fragment in fragments}
    if starts[0] != 0 or any(start not in places for start in starts) or sorted(set(starts)) != list(starts):
        return []
    groups: list[list[Span]] = [[] for _ in starts]
    for place, fragment in places.items():
        groups[bisect_right(starts, place) - 1].append(fragment)
    return [tuple(group) for group in groups]


def _grouped_by_end(file: BinaryIO, fragments: list[Span]) -> list[FrameSpans]:
    """Fragments by frame, where a frame ends with the marker that ends a JPEG or JPEG 2000 stream."""
    groups: list[FrameSpans] = []
    current: list[Span] = []
    for fragment in fragments:
        current.append(fragment)
        searched = min(_END_SEARCHED, fragment.length)
        if _END_OF_FRAME in read_spans(file, (Span(fragment.end - searched, searched),)):
            groups.append(tuple(current))
            current = []
    return groups


def _refuse_missing(found: int, frames: int) -> None:
    if found < frames:
        raise ValueError(f"the file is cut short: only {found} of its {frames} frames are whole")
