"""Text: numbers as people read them, and names that cannot upset the page they stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from napari_segcam.number_format import UNDEFINED


def counted(count: int, noun: str) -> str:
    """``"1 image"``, ``"2 images"``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def plain(value: object) -> str:
    """A value of ``run.json`` as people read it."""
    if value is None or value == "" or value == [] or value == {}:
        return UNDEFINED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        given = {words(str(key)): plain(one) for key, one in value.items() if plain(one) != UNDEFINED}
        nested = {words(str(key)) for key, one in value.items() if isinstance(one, Mapping)}
        return "; ".join(f"{key} ({one})" if key in nested else f"{key} {one}" for key, one in given.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(plain, value))
    return str(value)


def words(name: str) -> str:
    """A field's name as words."""
    return name.replace("_", " ")


def shortened(text: str, longest: int) -> str:
    """Without its middle, if it is longer."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half + 1 :]}"


def printable(text: str) -> str:
    """Control characters, direction marks and undecodable bytes written out, so that a name shows what it holds."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def drawable(text: str) -> str:
    """``printable``, with the characters that DejaVu Sans lacks written out: the font of the plots and of the PDF."""
    text = printable(text)
    if text.isascii():
        return text
    known = _characters()
    return "".join(char if ord(char) in known else char.encode("unicode_escape").decode() for char in text)


def font_file(name: str) -> Path:
    """A TrueType font that matplotlib brings, such as ``DejaVuSans-Bold``."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"


@cache
def _characters() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(font_file("DejaVuSans"))).get_charmap())
