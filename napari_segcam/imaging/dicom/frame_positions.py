"""Frame positions: locate each frame in a DICOM file once, so that any frame can be read without the others."""

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
# The end of one stream and the start of the next; this sequence never occurs in coded pixels.
_NEXT_STREAM = re.compile(rb"\xff\xd9\0?(?=\xff\xd8\xff|\xff\x4f\xff\x51)")
_RUN_LENGTH_HEADER = 64


@dataclass(frozen=True, slots=True)
class Span:
    """Range of bytes of a file."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


FrameSpans = tuple[Span, ...]


@dataclass(frozen=True)
class FramePositions:
    """Positions of the frames of a file.

    Attributes:
        spans: for each frame its fragments, in order.
        promised: number of frames stated in the file, None if not given.
    """

    spans: list[FrameSpans]
    promised: int | None

    @property
    def note(self) -> str | None:
        """Note on the number of frames, None if it is the stated one."""
        count = len(self.spans)
        if self.promised is None:
            return f"The header does not say how many frames there are: all {count} are read." if count > 1 else None
        if count < self.promised:
            return f"The file is cut short: of its {self.promised} frames only {count} are complete."
        if count > self.promised:
            return f"The header says that there are {self.promised} frames, but the file holds {count}: all are read."
        return None


def locate_native(pixels: Span, frames: int | None, frame_length: int, file_length: int) -> FramePositions:
    """Locate the frames of uncompressed pixel data, which follow one another.

    Args:
        pixels: the value of the pixel data, which may extend beyond the end of the file.
        frames: number of frames in the header, None if not given.
        frame_length: bytes of a frame.
        file_length: bytes of the file.

    Raises:
        ValueError: if not even one frame is complete.
    """
    complete = min(pixels.length, file_length - pixels.offset) // frame_length
    _refuse_none(complete)
    promised = (
        frames if pixels.length <= file_length - pixels.offset else max(frames or 0, pixels.length // frame_length)
    )
    return FramePositions(
        [(Span(pixels.offset + index * frame_length, frame_length),) for index in range(complete)],
        promised,
    )


def locate_encapsulated(file: BinaryIO, start: int, file_length: int, frames: int | None) -> FramePositions:
    """Locate the frames of compressed pixel data, each in one fragment or several (PS3.5, section A.4).

    If there are not as many fragments as frames, the offset table and the beginnings and ends of streams show which
    fragments belong together.

    Args:
        file: the DICOM file.
        start: of the value of the pixel data, which begins with the basic offset table.
        file_length: bytes of the file.
        frames: number of frames in the header, None if not given.

    Raises:
        ValueError: if the pixel data are not encapsulated, or not even one frame is complete.
    """
    file.seek(start)
    (table, *fragments), rest, is_closed = _items(file, file_length)
    _refuse_none(len(fragments))
    single: list[FrameSpans] = [(fragment,) for fragment in fragments]
    if len(fragments) == frames and is_closed:  # the usual case; the offset table is often wrong
        return FramePositions(single, frames)
    by_table = _group_by_table(file, table, fragments, rest)
    by_stream = _group_by_start(file, fragments, rest) or _group_by_end(file, fragments)
    if by_table and len(by_table) == frames:
        return FramePositions(by_table, frames)
    grouped = by_stream or by_table
    if not grouped and rest is None:
        grouped = single if len(fragments) == frames else [tuple(fragments)] if frames in (None, 1) else []
    _refuse_none(len(grouped))
    if frames is None or len(grouped) < frames:
        grouped = [span for group in grouped for span in _split_streams(file, group)]
    return FramePositions(grouped, frames)


def locate_stream(file: BinaryIO, start: int, file_length: int) -> FrameSpans:
    """Locate the fragments of compressed pixel data that are one stream, such as a video.

    Raises:
        ValueError: if the pixel data are not encapsulated or missing.
    """
    file.seek(start)
    (_, *fragments), _, _ = _items(file, file_length)
    _refuse_none(len(fragments))
    return tuple(fragments)


def read_spans(file: BinaryIO, spans: FrameSpans) -> bytes:
    """Read the bytes of a frame, with its fragments joined."""
    parts = []
    for span in spans:
        file.seek(span.offset)
        parts.append(file.read(span.length))
    return b"".join(parts)


def _items(file: BinaryIO, file_length: int) -> tuple[list[Span], Span | None, bool]:
    """Return the values of the sequence's items from the file's position on, the offset table first.

    Also returns the truncated item at the end, if any, and whether the sequence has its end marker.
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


def _group_by_table(file: BinaryIO, table: Span, fragments: list[Span], rest: Span | None) -> list[FrameSpans]:
    """Group fragments by frame with the basic offset table; empty if it does not match the fragments."""
    count = table.length // 4
    if not count or table.length % 4:
        return []
    starts = struct.unpack(f"<{count}L", read_spans(file, (table,)))
    # Offsets count from the first fragment's item tag, 8 bytes before its value.
    by_offset = {fragment.offset - 8 - table.end: fragment for fragment in fragments}
    if starts[0] != 0 or sorted(set(starts)) != list(starts):
        return []
    if rest is not None:  # frames beyond the end of the file
        cut = rest.offset - 8 - table.end
        starts = tuple(start for start in starts if start <= cut)
        by_offset[cut] = rest
    if any(start not in by_offset for start in starts):
        return []
    groups: list[list[Span]] = [[] for _ in starts]
    for offset, fragment in by_offset.items():
        groups[bisect_right(starts, offset) - 1].append(fragment)
    return [tuple(group) for group in groups if rest not in group]


def _group_by_start(file: BinaryIO, fragments: list[Span], rest: Span | None) -> list[FrameSpans]:
    """Group fragments by frame, where a JPEG, JPEG 2000 or run-length stream begins a frame; empty if none does."""
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


def _group_by_end(file: BinaryIO, fragments: list[Span]) -> list[FrameSpans]:
    """Group fragments by frame, where the end marker of a JPEG or JPEG 2000 stream ends a frame."""
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
    """Split a fragment that holds several streams, which the standard does not allow, into frames."""
    if len(spans) > 1:
        return [spans]
    coded = read_spans(file, spans)
    ends = [match.end() for match in _NEXT_STREAM.finditer(coded)] if coded.startswith(_BEGINNINGS) else []
    return [(Span(spans[0].offset + start, end - start),) for start, end in pairwise([0, *ends, len(coded)])]


def _refuse_none(count: int) -> None:
    if not count:
        raise ValueError("the file is cut short: none of its frames is complete")
