"""Lettering: text in pictures, in any script that a font on this machine has."""

from __future__ import annotations

from functools import cache, lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# The font of Pillow draws ASCII the same on every machine; these have more characters, where they are installed.
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
def text_and_font(text: str, size: int) -> tuple[str, Font]:
    """Return a text and the font to draw it with; characters that no font has become ``?``."""
    text = text.translate(_PLAIN)
    built_in = _built_in(size)
    if _has_all(built_in, text):
        return text, built_in
    for name in _SYSTEM_FONTS:
        font = _system_font(name, size)
        if font is not None and _has_all(font, text):
            return text, font
    return "".join(letter if _has_all(built_in, letter) else "?" for letter in text), built_in


def text_width(text: str, size: int) -> int:
    """Return the width of a drawn text in pixels."""
    drawable, font = text_and_font(text, size)
    return int(font.getlength(drawable)) + 1


def wrap_text(text: str, size: int, width: int) -> list[str]:
    """Return the lines of a text, broken between words to be at most ``width`` pixels wide."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def truncate_text(text: str, size: int, width: int) -> str:
    """Return a text, cut off with an ellipsis if it is more than ``width`` pixels wide."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}…", size) > width:
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
