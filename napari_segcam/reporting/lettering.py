"""Lettering: text in pictures, in any language whose letters some font on this machine has."""

from __future__ import annotations

from functools import cache, lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# What Pillow brings draws ASCII on every machine alike; these have more, where the system has them.
_SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "msyh.ttc",
    "PingFang.ttc",
)
_PLAIN = str.maketrans({"–": "-", "−": "-", "×": "x", "≥": ">=", "μ": "u", "²": "2", "\n": " ", "\t": " "})


@lru_cache(maxsize=512)
def lettered(text: str, size: int) -> tuple[str, Font]:
    """A text and the font to draw it with; letters that no font has become ``?``."""
    text = text.translate(_PLAIN)
    built_in = _built_in(size)
    if _has_all(built_in, text):
        return text, built_in
    for name in _SYSTEM_FONTS:
        font = _system_font(name, size)
        if font is not None and _has_all(font, text):
            return text, font
    return "".join(letter if _has_all(built_in, letter) else "?" for letter in text), built_in


def width_of(text: str, size: int) -> int:
    """How many pixels wide a text is drawn."""
    drawn, font = lettered(text, size)
    return int(font.getlength(drawn)) + 1


def wrapped(text: str, size: int, width: int) -> list[str]:
    """Lines of a text that are at most so many pixels wide, broken between words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def shortened(text: str, size: int, width: int) -> str:
    """A text, cut off with dots where it is more than so many pixels wide."""
    if width_of(text, size) <= width:
        return text
    while text and width_of(f"{text}…", size) > width:
        text = text[:-1]
    return f"{text}…"


@cache
def _built_in(size: int) -> Font:
    return ImageFont.load_default(size)


@cache
def _system_font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def _has_all(font: Font, text: str) -> bool:
    missing = bytes(font.getmask("\uffff"))  # a box
    return all(letter == " " or bytes(font.getmask(letter)) != missing for letter in set(text))
