"""Layout of a sheet: rows of pictures with captions, a title above and notes below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from napari_segcam.reporting.figures import Picture, color_heat, fit_to_tile
from napari_segcam.reporting.lettering import text_and_font, text_width, truncate_text, wrap_text

_GROUND, _TEXT, _DIM = "#101214", "#e4e8ec", "#98a1aa"
_MARGIN, _GAP = 12, 8
_SIZE, _TITLE_SIZE = 13, 17
_LINE = 19  # from one line of text to the next
_BAR = (160, 10)
_NARROWEST_STRIP = 320  # about as wide as its text
_NARROWEST = 460  # so that the notes are not broken into single words


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet, with a caption at the top left and a dim note at the top right."""

    caption: str
    picture: Picture
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """A color bar, with the text at its two ends."""

    colormap: str
    low: str
    high: str
    signed: bool = False


def draw_sheet(
    rows: Sequence[Sequence[Tile | None]],
    *,
    title: str = "",
    row_captions: Sequence[str] = (),
    notes: Sequence[str] = (),
    bars: Sequence[Bar] = (),
) -> Picture:
    """Return a sheet of pictures, all of one size.

    Args:
        rows: of tiles; None leaves a cell empty.
        title: above the pictures.
        row_captions: at the left, one per row; line breaks are kept.
        notes: below the pictures, one paragraph each.
        bars: color bars, between the pictures and the notes.
    """
    tiles = [tile for row in rows for tile in row if tile is not None]
    height, width = tiles[0].picture.shape[:2]
    cell = max(width, *(text_width(tile.caption, _SIZE) + text_width(tile.note, _SIZE) + 2 * _GAP for tile in tiles))
    lines = [line for caption in row_captions for line in caption.split("\n")]
    left = _MARGIN + (max(text_width(line, _SIZE) for line in lines) + _GAP if any(lines) else 0)
    columns = max(len(row) for row in rows)
    sheet_width = max(left + columns * (cell + _GAP) - _GAP + _MARGIN, _NARROWEST)

    inner_width = sheet_width - 2 * _MARGIN
    title_lines = wrap_text(title, _TITLE_SIZE, inner_width) if title else []
    note_lines = [line for note in notes for line in wrap_text(note, _SIZE, inner_width)]
    top = _MARGIN + len(title_lines) * (_LINE + 4) + (_GAP if title else 0)
    bottom = top + len(rows) * (_LINE + height + _GAP)
    sheet_height = bottom + (len(bars) + len(note_lines)) * _LINE + _MARGIN

    canvas = Image.new("RGB", (sheet_width, sheet_height), _GROUND)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(title_lines):
        _write(draw, (_MARGIN, _MARGIN + number * (_LINE + 4)), line, size=_TITLE_SIZE)
    for row_number, row in enumerate(rows):
        y = top + row_number * (_LINE + height + _GAP)
        for number, line in enumerate(row_captions[row_number].split("\n") if row_captions else ()):
            _write(draw, (_MARGIN, y + _LINE + number * _LINE), line, color=_DIM if number else _TEXT)
        for column, tile in enumerate(row):
            if tile is not None:
                x = left + column * (cell + _GAP)
                _write(draw, (x, y), tile.caption)
                _write(draw, (x + cell - text_width(tile.note, _SIZE), y), tile.note, color=_DIM)
                canvas.paste(Image.fromarray(tile.picture), (x, y + _LINE))
    for number, bar in enumerate(bars):
        _draw_bar(canvas, draw, bar, bottom + number * _LINE)
    for number, line in enumerate(note_lines):
        _write(draw, (_MARGIN, bottom + (len(bars) + number) * _LINE), line, color=_DIM)
    return np.asarray(canvas)


def in_rows(tiles: Sequence[Tile], columns: int | None = None) -> list[Sequence[Tile]]:
    """Return tiles in rows; by default with somewhat more columns than rows."""
    columns = columns or math.ceil(math.sqrt(len(tiles) * 1.3))
    return [tiles[start : start + columns] for start in range(0, len(tiles), columns)]


def with_strip(picture: Picture, bar: Bar, lines: Sequence[str]) -> Picture:
    """Return a picture with a strip below it: a color bar and lines of text, cut off where they do not fit.

    The size of the result depends on that of the picture and the number of lines only. Narrow pictures are enlarged by
    a whole factor.
    """
    picture = fit_to_tile(picture, _NARROWEST_STRIP, max(picture.shape))
    height, width = picture.shape[:2]
    canvas = Image.new("RGB", (width, height + (1 + len(lines)) * _LINE + _GAP), _GROUND)
    canvas.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(canvas)
    _draw_bar(canvas, draw, bar, height + _GAP // 2, left=_GAP)
    for number, line in enumerate(lines, start=1):
        text = truncate_text(line, _SIZE, width - 2 * _GAP)
        _write(draw, (_GAP, height + _GAP // 2 + number * _LINE), text, color=_DIM)
    return np.asarray(canvas)


def with_message(picture: Picture, message: str) -> Picture:
    """Return a picture, dimmed, with a message in its center."""
    canvas = Image.fromarray((picture * 0.35).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    lines = wrap_text(message, _SIZE, canvas.width - 2 * _MARGIN)
    top = (canvas.height - len(lines) * _LINE) // 2
    for number, line in enumerate(lines):
        x = (canvas.width - text_width(line, _SIZE)) // 2
        _write(draw, (x, top + number * _LINE), line)
    return np.asarray(canvas)


def _draw_bar(canvas: Image.Image, draw: ImageDraw.ImageDraw, bar: Bar, y: int, left: int = _MARGIN) -> None:
    width, height = _BAR
    heat = np.linspace(-1 if bar.signed else 0, 1, width, dtype=np.float32)
    strip = color_heat(np.tile(heat, (height, 1)), bar.colormap, signed=bar.signed)
    _write(draw, (left, y), bar.low, color=_DIM)
    x = left + text_width(bar.low, _SIZE) + _GAP
    canvas.paste(Image.fromarray(strip), (x, y + 4))
    _write(draw, (x + width + _GAP, y), bar.high, color=_DIM)


def _write(
    draw: ImageDraw.ImageDraw, position: tuple[int, int], text: str, *, size: int = _SIZE, color: str = _TEXT
) -> None:
    drawable, font = text_and_font(text, size)
    draw.text(position, drawable, fill=color, font=font)
