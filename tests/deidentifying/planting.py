"""Planting: identifiers, each of its own, and the search for them in every file of a folder."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
ENCODINGS = ("latin-1", "utf-16-le", "utf-16-be", "utf-32-le", "shift_jis")


class Planted:
    """Identifiers that were planted, by the place where each is.

    Attributes:
        places: the words by place; a word is in one place only.
    """

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def name(self, place: str) -> str:
        """Return a new name of nine letters."""
        number = 97 * (len(self.places) + 1) + 100_003
        letters = "Zw"
        while len(letters) < 9:
            number, consonant = divmod(number, len(_CONSONANTS))
            number, vowel = divmod(number + 31, len(_VOWELS))
            letters += _CONSONANTS[consonant] + _VOWELS[vowel]
        return self._add(place, letters[:9])

    def number(self, place: str) -> str:
        """Return a new number of eight digits."""
        return self._add(place, str(73_000_019 + 7919 * len(self.places)))

    def date(self, place: str) -> str:
        """Return a new date, ``YYYYMMDD``."""
        index = len(self.places)
        return self._add(place, f"{date(1921, 3, 2) + timedelta(31 * index):%Y%m%d}")

    def uid(self, place: str) -> str:
        """Return a new UID with a patient's number in it."""
        return f"1.2.826.0.1.3680043.2.1143.{self.number(place)}"

    def _add(self, place: str, word: str) -> str:
        assert place not in self.places
        assert word not in self.places.values()
        self.places[place] = word
        return word

    def survivors(self, folder: Path) -> list[str]:
        """Return the places whose word is in any file or file name of a folder, in upper or lower case."""
        contents = [content.lower() for path in sorted(folder.rglob("*")) for content in _contents(path)]
        assert contents
        everything = b"\n".join(contents)
        return [
            place for place, word in self.places.items() if any(form.lower() in everything for form in _forms(word))
        ]


def _forms(word: str) -> set[bytes]:
    dashed = {f"{word[:4]}-{word[4:6]}-{word[6:]}"} if word.isdecimal() and len(word) == 8 else set()
    return {text.encode(encoding) for text in {word, *dashed} for encoding in ENCODINGS}


def _contents(path: Path) -> Iterator[bytes]:
    """Yield the name of a file, its bytes, and what is deflated in it."""
    yield str(path.name).encode()
    if path.is_file():
        content = path.read_bytes()
        yield content
        for start in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", content):
            try:
                yield zlib.decompressobj().decompress(content[start.start() :], 2**22)
            except zlib.error:
                continue
