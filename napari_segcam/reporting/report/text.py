"""Text: values of ``run.json`` for people, and names that are safe on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from napari_segcam.number_format import UNDEFINED


def plain(value: object) -> str:
    """Return a value of ``run.json`` as plain text."""
    if value is None or value == "" or value == [] or value == {}:
        return UNDEFINED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        texts = {words(str(key)): plain(item) for key, item in value.items() if plain(item) != UNDEFINED}
        nested = {words(str(key)) for key, item in value.items() if isinstance(item, Mapping)}
        return "; ".join(f"{key} ({text})" if key in nested else f"{key} {text}" for key, text in texts.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(plain, value))
    return str(value)


def words(name: str) -> str:
    """Return the name of a field as words."""
    return name.replace("_", " ")


def shorten_middle(text: str, longest: int) -> str:
    """Return a text of at most ``longest`` characters; a longer one loses its middle."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half + 1 :]}"


def printable(text: str) -> str:
    """Return a text with control characters, direction marks and undecodable bytes written as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def drawable(text: str) -> str:
    """Return ``printable`` text, with characters that DejaVu Sans lacks as escapes: the font of plots and PDF."""
    text = printable(text)
    if text.isascii():
        return text
    characters = _characters()
    return "".join(char if ord(char) in characters else char.encode("unicode_escape").decode() for char in text)


def font_file(name: str) -> Path:
    """Return the path of a TrueType font of matplotlib, such as ``DejaVuSans-Bold``."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"


@cache
def _characters() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(font_file("DejaVuSans"))).get_charmap())
