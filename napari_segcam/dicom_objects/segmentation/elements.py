"""Elements of a DICOM data set: located and read one by one, within a budget, so that no file can fill the memory.

pydicom makes an object of every item of every sequence, which for thousands of frames takes more than the pixels. Here
the functional groups of a frame are read, used and forgotten.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pydicom.charset import decode_bytes
from pydicom.datadict import dictionary_VR

PIXEL_DATA = 0x7FE00010
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_DEEPEST = 16  # sequences within sequences
_MOST_ELEMENTS = 1_000_000  # that are looked at in one file; 10,000 frames have half of them
_MOST_IN_GROUP = 1000
_LONGEST_VALUE = 2**15  # bytes of a value that is read

Bytes = Callable[[int, int], bytes]
"""Returns the bytes of a file from the first to before the second offset; fewer at the end of the file."""


@dataclass
class Reader:
    """How the elements of one file are read.

    Attributes:
        read: its bytes, without deflation.
        size: number of its bytes.
        is_explicit: whether elements name their value representation.
        is_little_endian: the order of the bytes of numbers.
        start: where the data set begins.
        looked_at: elements so far.
    """

    read: Bytes
    size: int
    is_explicit: bool = True
    is_little_endian: bool = True
    start: int = 0
    looked_at: int = field(default=0, repr=False)

    @property
    def order(self) -> str:
        """The order of bytes for ``struct``."""
        return "<" if self.is_little_endian else ">"

    def elements(self, start: int, stop: int, depth: int = 0) -> Iterator[Element]:
        """Yield the elements of a data set in this range of bytes, until its end, its delimiter or its pixel data.

        Raises:
            ValueError: if the data set is cut short or damaged, or has more elements than any should have.
        """
        if depth > _DEEPEST:
            raise ValueError("its sequences are nested too deep")
        position = start
        while position < stop:
            element = self._element(position, stop, depth)
            if element.tag in (_ITEM_END, _SEQUENCE_END):
                return
            yield element
            if element.tag == PIXEL_DATA and depth == 0:
                return
            position = element.end

    def _count(self) -> None:
        self.looked_at += 1
        if self.looked_at > _MOST_ELEMENTS:
            raise ValueError(f"it has more than {_MOST_ELEMENTS:,} elements")

    def _element(self, position: int, stop: int, depth: int) -> Element:
        self._count()
        head = self.read(position, position + 12)
        if len(head) < 8:
            raise ValueError("it is cut short")
        group, number = struct.unpack(f"{self.order}HH", head[:4])
        tag, kind = group << 16 | number, head[4:6]
        if not self.is_explicit or group == 0xFFFE:
            kind, value = b"", position + 8
            (length,) = struct.unpack(f"{self.order}L", head[4:8])
        elif kind in _LONG:
            if len(head) < 12:
                raise ValueError("it is cut short")
            value = position + 12
            (length,) = struct.unpack(f"{self.order}L", head[8:12])
        else:
            value = position + 8
            (length,) = struct.unpack(f"{self.order}H", head[6:8])
        if tag in (_ITEM_END, _SEQUENCE_END):
            return Element(self, tag, kind, value, value, value, depth)
        if length != _UNDEFINED:
            if value + length > stop and not (tag == PIXEL_DATA and depth == 0):
                raise ValueError("it is cut short")
            return Element(self, tag, kind, value, value + length, value + length, depth)
        if tag == PIXEL_DATA and depth == 0:
            return Element(self, tag, kind, value, stop, stop, depth, is_encapsulated=True)
        end = self._end_of_sequence(value, stop, depth + 1)
        return Element(self, tag, kind, value, end - 8, end, depth)

    def _end_of_sequence(self, position: int, stop: int, depth: int) -> int:
        """Return the end of a sequence of undefined length, after its delimiter."""
        for item in self.items(position, stop, depth):
            position = item[2]
        head = self.read(position, position + 8)
        if len(head) < 8:
            raise ValueError("it is cut short")
        return position + 8

    def items(self, position: int, stop: int, depth: int) -> Iterator[tuple[int, int, int]]:
        """Yield for each item of a sequence where its data set starts and stops, and where the next item is."""
        if depth > _DEEPEST:
            raise ValueError("its sequences are nested too deep")
        while position < stop:
            self._count()
            head = self.read(position, position + 8)
            if len(head) < 8:
                raise ValueError("it is cut short")
            group, number, length = struct.unpack(f"{self.order}HHL", head)
            tag = group << 16 | number
            if tag == _SEQUENCE_END:
                return
            if tag != _ITEM:
                raise ValueError("a sequence in its header is damaged")
            start = position + 8
            if length == _UNDEFINED:
                end = start
                for element in self.elements(start, stop, depth):
                    end = element.end
                position = end + 8
                if self.read(end, end + 4) != struct.pack(f"{self.order}HH", 0xFFFE, _ITEM_END & 0xFFFF):
                    raise ValueError("an item of a sequence in its header does not end")
                yield start, end, position
            else:
                position = start + length
                if position > stop:
                    raise ValueError("it is cut short")
                yield start, position, position


@dataclass(slots=True)
class Element:
    """One element: where it is, and how to read it.

    Attributes:
        reader: of the file.
        tag: group and number in one.
        kind: its value representation; empty if the file does not name it.
        start: of its value.
        stop: end of its value.
        end: where the next element begins.
        depth: number of sequences that it is in.
        is_encapsulated: for pixel data, whether they are in fragments.
    """

    reader: Reader
    tag: int
    kind: bytes
    start: int
    stop: int
    end: int
    depth: int
    is_encapsulated: bool = False

    def value(self) -> bytes:
        """Return the bytes of the value.

        Raises:
            ValueError: if it is longer than any that is needed.
        """
        if self.stop - self.start > _LONGEST_VALUE:
            raise ValueError(f"the element {self.tag:08X} is too long")
        return self.reader.read(self.start, self.stop)

    def text(self) -> str:
        """Return a value of ASCII characters, without padding."""
        return self.value().decode("latin-1").strip(" \0")

    def texts(self) -> list[str]:
        """Return several such values."""
        return [part.strip(" \0") for part in self.text().split("\\")] if self.text() else []

    def decoded(self, encodings: Sequence[str]) -> str:
        """Return a text of the file's character set.

        Args:
            encodings: Python's names of the character sets.
        """
        return decode_bytes(self.value(), encodings, set()).strip(" \0")

    def numbers(self) -> list[int]:
        """Return whole numbers: as text (IS), or in 2 or 4 bytes.

        Raises:
            ValueError: if one is no number.
        """
        kind, data = self.kind.decode("latin-1") or dictionary_VR(self.tag), self.value()
        if kind == "IS":
            return [int(part) for part in self.texts() if part]
        size, letter = (2, "H") if kind in ("US", "AT", "US or SS") else (4, "L")
        return list(struct.unpack(f"{self.reader.order}{len(data) // size}{letter}", data[: len(data) // size * size]))

    def decimals(self) -> list[float]:
        """Return decimal numbers, which are text (DS)."""
        return [float(part) for part in self.texts() if part]

    def items(self) -> Iterator[Group]:
        """Yield the items of a sequence, each as its elements by tag.

        Raises:
            ValueError: if an item is damaged or has more elements than any should have.
        """
        for start, stop, _ in self.reader.items(self.start, self.stop, self.depth + 1):
            group: Group = {}
            for element in self.reader.elements(start, stop, self.depth + 1):
                group[element.tag] = element
                if len(group) > _MOST_IN_GROUP:
                    raise ValueError("an item of a sequence in its header has too many elements")
            yield group


Group = dict[int, Element]
"""The elements of a data set by tag."""
