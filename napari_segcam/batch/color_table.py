"""Color tables: which color each class has in true masks in color."""

from __future__ import annotations

import csv
from pathlib import Path

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import refuse_no_file

Color = tuple[int, int, int]
"""Red, green and blue, 0–255."""


def read_colors(path: Path) -> dict[str, Color]:
    """Read a table of class colors: a CSV file with the columns name, r, g and b.

    Raises:
        SegcamError: if it is not such a file, or two classes have the same color.
    """
    if path.exists():
        refuse_no_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = [{(key or "").strip().lower(): value for key, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SegcamError(f"The color table {path} cannot be read: {error_text(error)}.") from error
    colors: dict[str, Color] = {}
    for line, row in enumerate(table, start=2):
        parts = [(row.get(key) or "").strip() for key in ("r", "g", "b")]
        name = (row.get("name") or "").strip()
        if not name or not all(part.isdecimal() and int(part) < 256 for part in parts):
            raise SegcamError(
                f"The color table {path}, line {line}: expected a class name and r, g, b from 0 to 255, below a first "
                "line name,r,g,b."
            )
        red, green, blue = map(int, parts)
        if name in colors or (red, green, blue) in colors.values():
            raise SegcamError(f"The color table {path}, line {line}: the class or the color is listed twice.")
        colors[name] = (red, green, blue)
    if not colors:
        raise SegcamError(f"The color table {path} is empty: its lines are name,r,g,b.")
    return colors


def hex_color(text: str) -> Color:
    """Return the color written ``#rrggbb``."""
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue
