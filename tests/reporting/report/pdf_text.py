"""The text of a PDF that reportlab wrote, page by page, read without reportlab."""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path

_ESCAPE = re.compile(rb"\\(\d{1,3}|.)", re.DOTALL)
_SHOWN = re.compile(rb"/(F\d+(?:\+\d+)?) [\d.]+ Tf|\(((?:[^()\\]|\\.)*)\) Tj", re.DOTALL)
_CONTROL = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class Pdf:
    """Pages as the strings that are drawn on them, in order; the pages that links lead to; the outline.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._objects = {
            int(number): body
            for number, body in re.findall(rb"(?m)^(\d+) 0 obj\s(.*?)\sendobj", path.read_bytes(), re.DOTALL)
        }
        numbers = {name.decode(): int(number) for name, number in self._fonts()}
        self._letters = {name: self._letters_of(number) for name, number in numbers.items()}
        (kids,) = (re.search(rb"/Kids \[(.*?)\]", body, re.DOTALL) for body in self._bodies(b"/Type /Pages"))
        assert kids is not None
        self.page_numbers = [int(number) for number in re.findall(rb"(\d+) 0 R", kids[1])]
        self.pages = [self._strings(number) for number in self.page_numbers]
        self.link_pages = [
            self.page_numbers.index(int(number))
            for body in self._bodies(b"/Subtype /Link")
            for number in re.findall(rb"/Dest \[ (\d+) 0 R", body)
        ]

    @property
    def text(self) -> str:
        """All text, with single spaces."""
        return " ".join(" ".join(" ".join(strings) for strings in self.pages).split())

    def _bodies(self, part: bytes) -> list[bytes]:
        return [body for body in self._objects.values() if part in body]

    def _fonts(self) -> list[tuple[bytes, bytes]]:
        (fonts,) = (body for body in self._objects.values() if re.match(rb"<<\s*/F1 \d+ 0 R", body))
        return re.findall(rb"/(F\d+(?:\+\d+)?) (\d+) 0 R", fonts)

    def _stream(self, number: int) -> bytes:
        data = re.search(rb"stream\r?\n(.*?)endstream", self._objects[number], re.DOTALL)
        assert data is not None
        if b"/ASCII85Decode" in self._objects[number]:
            return zlib.decompress(base64.a85decode(b"<~" + data[1].strip(), adobe=True))
        return zlib.decompressobj().decompress(data[1])

    def _letters_of(self, font: int) -> dict[int, str]:
        """Which character each code of a font stands for."""
        table = re.search(rb"/ToUnicode (\d+) 0 R", self._objects[font])
        if table is None:
            return {code: bytes([code]).decode("latin-1") for code in range(256)}
        pairs = re.findall(rb"(?m)^<([0-9A-Fa-f]{2})> <([0-9A-Fa-f]{4})>$", self._stream(int(table[1])))
        return {int(code, 16): chr(int(letter, 16)) for code, letter in pairs}

    def _strings(self, page: int) -> list[str]:
        contents = re.search(rb"/Contents (\d+) 0 R", self._objects[page])
        assert contents is not None
        strings, font = [], ""
        for name, codes in _SHOWN.findall(self._stream(int(contents[1]))):
            if name:
                font = name.decode()
            else:
                strings.append("".join(self._letters[font].get(code, "?") for code in _unescaped(codes)))
        return strings


def _unescaped(codes: bytes) -> bytes:
    def letter(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code, 8)]) if code.isdigit() else _CONTROL.get(code, code)

    return _ESCAPE.sub(letter, codes)
