"""The layout of a sheet: pictures in rows under their captions, with a title above and notes below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from napari_segcam.reporting.figures import Picture, colored, fitted
from napari_segcam.reporting.lettering import lettered, shortened, width_of, wrapped

_GROUND, _TEXT, _DIM = "#101214", "#e4e8ec", "#98a1aa"
_MARGIN, _GAP = 12, 8
_SIZE, _TITLE_SIZE = 13, 17
_LINE = 19  # from one line of text to the next
_BAR = (160, 10)
_NARROWEST_STRIP = 320  # about as wide as what it says
_NARROWEST = 460  # so that the notes do not become a column of single words


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet, with what is written above it; the note stands at the right, dim."""

    caption: str
    picture: Picture
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """A color bar, with what its two ends are."""

    colormap: str
    low: str
    high: str
    signed: bool = False


def lay_out(
    rows: Sequence[Sequence[Tile | None]],
    *,
    title: str = "",
    row_captions: Sequence[str] = (),
    notes: Sequence[str] = (),
    bars: Sequence[Bar] = (),
) -> Picture:
    """Lay rows of pictures of one size out.

    Args:
        rows: of tiles; None leaves a place free.
        title: above all.
        row_captions: at the left, one for each row; a line break is kept.
        notes: below, one paragraph each.
        bars: color bars between pictures and notes.
    """
    tiles = [tile for row in rows for tile in row if tile is not None]
    height, width = tiles[0].picture.shape[:2]
    cell = max(width, *(width_of(tile.caption, _SIZE) + width_of(tile.note, _SIZE) + 2 * _GAP for tile in tiles))
    lines = [line for caption in row_captions for line in caption.split("\n")]
    left = _MARGIN + (max(width_of(line, _SIZE) for line in lines) + _GAP if any(lines) else 0)
    columns = max(len(row) for row in rows)
    whole_width = max(left + columns * (cell + _GAP) - _GAP + _MARGIN, _NARROWEST)

    text_width = whole_width - 2 * _MARGIN
    title_lines = wrapped(title, _TITLE_SIZE, text_width) if title else []
    note_lines = [line for note in notes for line in wrapped(note, _SIZE, text_width)]
    top = _MARGIN + len(title_lines) * (_LINE + 4) + (_GAP if title else 0)
    bottom = top + len(rows) * (_LINE + height + _GAP)
    whole_height = bottom + (len(bars) + len(note_lines)) * _LINE + _MARGIN

    canvas = Image.new("RGB", (whole_width, whole_height), _GROUND)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(title_lines):
        _write(draw, (_MARGIN, _MARGIN + number * (_LINE + 4)), line, size=_TITLE_SIZE)
    for at, row in enumerate(rows):
        y = top + at * (_LINE + height + _GAP)
        for number, line in enumerate(row_captions[at].split("\n") if row_captions else ()):
            _write(draw, (_MARGIN, y + _LINE + number * _LINE), line, color=_DIM if number else _TEXT)
        for column, tile in enumerate(row):
            if tile is not None:
                x = left + column * (cell + _GAP)
                _write(draw, (x, y), tile.caption)
                _write(draw, (x + cell - width_of(tile.note, _SIZE), y), tile.note, color=_DIM)
                canvas.paste(Image.fromarray(tile.picture), (x, y + _LINE))
    for number, bar in enumerate(bars):
        _draw_bar(canvas, draw, bar, bottom + number * _LINE)
    for number, line in enumerate(note_lines):
        _write(draw, (_MARGIN, bottom + (len(bars) + number) * _LINE), line, color=_DIM)
    return np.asarray(canvas)


def sheet(tiles: Sequence[Tile], columns: int | None = None) -> Picture:
    """Lay pictures of one size out in rows, each under its caption; nothing else around them."""
    return lay_out(in_rows(tiles, columns))


def in_rows(tiles: Sequence[Tile], columns: int | None = None) -> list[Sequence[Tile]]:
    """Tiles in rows; by default somewhat more columns than rows."""
    columns = columns or math.ceil(math.sqrt(len(tiles) * 1.3))
    return [tiles[at : at + columns] for at in range(0, len(tiles), columns)]


def with_strip(picture: Picture, bar: Bar, lines: Sequence[str]) -> Picture:
    """A picture with a strip below it that holds a color bar and lines of text, cut short where they do not fit.

    Pictures of one size stay so, whatever the texts; narrow ones are enlarged by whole pixels.
    """
    picture = fitted(picture, _NARROWEST_STRIP, max(picture.shape))
    height, width = picture.shape[:2]
    canvas = Image.new("RGB", (width, height + (1 + len(lines)) * _LINE + _GAP), _GROUND)
    canvas.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(canvas)
    _draw_bar(canvas, draw, bar, height + _GAP // 2, left=_GAP)
    for number, line in enumerate(lines, start=1):
        shown = shortened(line, _SIZE, width - 2 * _GAP)
        _write(draw, (_GAP, height + _GAP // 2 + number * _LINE), shown, color=_DIM)
    return np.asarray(canvas)


def with_words(picture: Picture, words: str) -> Picture:
    """A picture, dimmed, with words in its middle."""
    canvas = Image.fromarray((picture * 0.35).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    lines = wrapped(words, _SIZE, canvas.width - 2 * _MARGIN)
    top = (canvas.height - len(lines) * _LINE) // 2
    for number, line in enumerate(lines):
        x = (canvas.width - width_of(line, _SIZE)) // 2
        _write(draw, (x, top + number * _LINE), line)
    return np.asarray(canvas)


def _draw_bar(canvas: Image.Image, draw: ImageDraw.ImageDraw, bar: Bar, y: int, left: int = _MARGIN) -> None:
    width, height = _BAR
    shares = np.linspace(-1 if bar.signed else 0, 1, width, dtype=np.float32)
    strip = colored(np.tile(shares, (height, 1)), bar.colormap, signed=bar.signed)
    _write(draw, (left, y), bar.low, color=_DIM)
    x = left + width_of(bar.low, _SIZE) + _GAP
    canvas.paste(Image.fromarray(strip), (x, y + 4))
    _write(draw, (x + width + _GAP, y), bar.high, color=_DIM)


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, *, size: int = _SIZE, color: str = _TEXT
) -> None:
    drawn, font = lettered(text, size)
    draw.text(place, drawn, fill=color, font=font)
