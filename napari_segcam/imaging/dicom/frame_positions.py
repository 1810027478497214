"""Where in a DICOM file each frame lies, found once, so that any frame is read without touching the others."""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

_ITEM = 0xFFFEE000
_SEQUENCE_DELIMITER = 0xFFFEE0DD
# JPEG's end of image and JPEG 2000's end of codestream; padding may follow it.
_END_OF_FRAME = b"\xff\xd9"
_END_SEARCHED = 10
# JPEG and JPEG-LS, JPEG 2000, and its file format.
_BEGINNINGS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")
# Between a stream that ends and one that begins, which coded pixels never look like.
_NEXT_STREAM = re.compile(rb"\xff\xd9\0?(?=\xff\xd8\xff|\xff\x4f\xff\x51)")
_RUN_LENGTH_HEADER = 64


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


FrameSpans = tuple[Span, ...]


@dataclass(frozen=True)
class Located:
    """The frames that were found.

    Attributes:
        spans: for each frame its fragments, in order.
        promised: how many the file says it has, None where it does not say.
    """

    spans: list[FrameSpans]
    promised: int | None

    @property
    def note(self) -> str | None:
        """What is to be said of their number, None where it is as promised."""
        found = len(self.spans)
        if self.promised is None:
            return f"The header does not say how many frames there are: all {found} are read." if found > 1 else None
        if found < self.promised:
            return f"The file is cut short: of its {self.promised} frames only {found} are whole."
        if found > self.promised:
            return f"The header says that there are {self.promised} frames, but the file holds {found}: all are read."
        return None


def locate_native(pixels: Span, frames: int | None, frame_length: int, file_length: int) -> Located:
    """The frames of uncompressed pixel data, which lie one behind another.

    Args:
        pixels: the value of the pixel data, which may reach beyond the end of the file.
        frames: how many the header promises, None where it does not say.
        frame_length: bytes of a frame.
        file_length: bytes.

    Raises:
        ValueError: if not even one frame is whole.
    """
    whole = min(pixels.length, file_length - pixels.offset) // frame_length
    _refuse_none(whole)
    promised = (
        frames if pixels.length <= file_length - pixels.offset else max(frames or 0, pixels.length // frame_length)
    )
    return Located(
        [(Span(pixels.offset + index * frame_length, frame_length),) for index in range(whole)],
        promised,
    )


def locate_encapsulated(file: BinaryIO, start: int, file_length: int, frames: int | None) -> Located:
    """The frames of compressed pixel data, each in one fragment or several (PS3.5, section A.4).

    Where there are not as many fragments as frames, the offset table and the way in which streams begin and end tell
    which belong together.

    Args:
        file: the DICOM file.
        start: where the value of the pixel data begins, with the basic offset table.
        file_length: bytes.
        frames: how many the header promises, None where it does not say.

    Raises:
        ValueError: if the pixel data are not encapsulated, or not even one frame is whole.
    """
    file.seek(start)
    (table, *fragments), rest, is_closed = _items(file, file_length)
    _refuse_none(len(fragments))
    single: list[FrameSpans] = [(fragment,) for fragment in fragments]
    if len(fragments) == frames and is_closed:  # the usual case; an offset table, often wrong, would add nothing
        return Located(single, frames)
    by_table = _grouped_by_table(file, table, fragments, rest)
    by_stream = _grouped_by_start(file, fragments, rest) or _grouped_by_end(file, fragments)
    if by_table and len(by_table) == frames:
        return Located(by_table, frames)
    grouped = by_stream or by_table
    if not grouped and rest is None:
        grouped = single if len(fragments) == frames else [tuple(fragments)] if frames in (None, 1) else []
    _refuse_none(len(grouped))
    if frames is None or len(grouped) < frames:
        grouped = [span for group in grouped for span in _split_streams(file, group)]
    return Located(grouped, frames)


def locate_stream(file: BinaryIO, start: int, file_length: int) -> FrameSpans:
    """The fragments of compressed pixel data that are one stream, such as a video; in place of frames there is one.

    Raises:
        ValueError: if the pixel data are not encapsulated or missing.
    """
    file.seek(start)
    (_, *fragments), _, _ = _items(file, file_length)
    _refuse_none(len(fragments))
    return tuple(fragments)


def read_spans(file: BinaryIO, spans: FrameSpans) -> bytes:
    """The bytes of a frame, its fragments joined."""
    parts = []
    for span in spans:
        file.seek(span.offset)
        parts.append(file.read(span.length))
    return b"".join(parts)


def _items(file: BinaryIO, file_length: int) -> tuple[list[Span], Span | None, bool]:
    """The values of the sequence's items from here on, the offset table first.

    Besides them one that is cut short at the end, and whether the sequence is closed as it should be.
    """
    items: list[Span] = []
    rest, is_closed = None, False
    while len(header := file.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", header)
        tag = group << 16 | element
        if tag == _SEQUENCE_DELIMITER:
            is_closed = True
            break
        if tag != _ITEM:
            raise ValueError("the compressed pixel data are damaged: a fragment does not begin where it should")
        item = Span(file.tell(), length)
        if item.end > file_length:
            rest = Span(item.offset, file_length - item.offset)
            break
        items.append(item)
        file.seek(item.end)
    if not items:
        raise ValueError("the file is cut short: its pixel data are missing")
    return items, rest, is_closed


def _grouped_by_table(file: BinaryIO, table: Span, fragments: list[Span], rest: Span | None) -> list[FrameSpans]:
    """Fragments by frame as the basic offset table says; nothing if it does not go with the fragments."""
    count = table.length // 4
    if not count or table.length % 4:
        return []
    starts = struct.unpack(f"<{count}L", read_spans(file, (table,)))
    # Offsets count from the first fragment's item tag, 8 bytes before its value.
    places = {fragment.offset - 8 - table.end: fragment for fragment in fragments}
    if starts[0] != 0 or sorted(set(starts)) != list(starts):
        return []
    if rest is not None:  # frames beyond the end of the file
        cut = rest.offset - 8 - table.end
        starts = tuple(start for start in starts if start <= cut)
        places[cut] = rest
    if any(start not in places for start in starts):
        return []
    groups: list[list[Span]] = [[] for _ in starts]
    for place, fragment in places.items():
        groups[bisect_right(starts, place) - 1].append(fragment)
    return [tuple(group) for group in groups if rest not in group]


def _grouped_by_start(file: BinaryIO, fragments: list[Span], rest: Span | None) -> list[FrameSpans]:
    """Fragments by frame, where a frame begins as a JPEG, JPEG 2000 or run-length stream; nothing if none does."""
    groups: list[list[Span]] = []
    for fragment in fragments if rest is None else [*fragments, rest]:
        if _begins_a_stream(read_spans(file, (Span(fragment.offset, min(fragment.length, _RUN_LENGTH_HEADER)),))):
            groups.append([fragment])
        elif groups:
            groups[-1].append(fragment)
        else:
            return []
    return [tuple(group) for group in groups if rest not in group]


def _begins_a_stream(head: bytes) -> bool:
    if head.startswith(_BEGINNINGS):
        return True
    if len(head) < _RUN_LENGTH_HEADER:
        return False
    count, *offsets = struct.unpack("<16L", head)  # PS3.5, section G.5
    return (
        1 <= count <= 15
        and offsets[0] == _RUN_LENGTH_HEADER
        and sorted(set(offsets[:count])) == offsets[:count]
        and not any(offsets[count:])
    )


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


def _split_streams(file: BinaryIO, spans: FrameSpans) -> list[FrameSpans]:
    """The frames of a fragment that holds several streams one behind another, against the standard."""
    if len(spans) > 1:
        return [spans]
    coded = read_spans(file, spans)
    ends = [found.end() for found in _NEXT_STREAM.finditer(coded)] if coded.startswith(_BEGINNINGS) else []
    places = [0, *ends, len(coded)]
    return [(Span(spans[0].offset + start, end - start),) for start, end in pairwise(places)]


def _refuse_none(found: int) -> None:
    if not found:
        raise ValueError("the file is cut short: none of its frames is whole")
