"""Color tables: which name, color and number each class has in true masks."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_segcam.budget import CARD_BYTES
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import refuse_no_file
from napari_segcam.network.settings_text import read_text

Color = tuple[int, int, int]
"""Red, green and blue, 0–255."""

_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
# A line of ITK-SNAP: number, red, green, blue, opacity, two switches of its window, and the name in quotes.
_ITK_SNAP = re.compile(r'\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+[\d.]+\s+[01]\s+[01]\s+"([^"]*)"\s*')
_NAMES = ("name", "label", "class")
_COLOR_KEY = re.compile(r"colou?r|hex|rgb")
_NUMBERS = ("number", "index", "idx", "id", "value")
FORMATS = (
    "A color table is a CSV file (name,r,g,b or name,color with #rrggbb), a label file of ITK-SNAP, or JSON "
    '({"name": "#rrggbb"}).'
)


class ColorTable(dict[str, Color]):
    """Colors by class name, in the order of the file.

    Attributes:
        numbers: the number of each class in masks that hold numbers, by name; empty if the file gives none.
    """

    def __init__(self, colors: Any = (), numbers: Mapping[str, int] | None = None) -> None:
        super().__init__(colors)
        self.numbers = dict(numbers or {})


def read_colors(path: Path) -> ColorTable:
    """Read a table of class colors: CSV, a label file of ITK-SNAP, or JSON; see ``FORMATS``.

    Raises:
        SegcamError: if it is not such a file, or two classes have the same name, color or number.
    """
    if path.exists():
        refuse_no_file(path)
    try:
        text = read_text(path, CARD_BYTES).removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        raise SegcamError(f"The color table {path} cannot be read: {error_text(error)}.") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if text.lstrip()[:1] in ("{", "["):
        entries = _of_json(text, path)
    elif lines and _ITK_SNAP.fullmatch(lines[0]):
        entries = _of_itk_snap(text, path)
    else:
        entries = _of_csv(text, path)
    table = ColorTable()
    for where, name, color, number in entries:
        if name in table or color in table.values() or (number is not None and number in table.numbers.values()):
            raise SegcamError(f"The color table {path}, {where}: the class or the color is listed twice.")
        table[name] = color
        if number is not None:
            table.numbers[name] = number
    if not table:
        raise SegcamError(f"The color table {path} is empty. {FORMATS}")
    if len(table.numbers) not in (0, len(table)):
        raise SegcamError(f"The color table {path} gives numbers to some classes only: give one to each, or to none.")
    return table


def hex_color(text: str) -> Color:
    """Return the color written ``#rrggbb``."""
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue


def color_hex(color: Color) -> str:
    """Return a color as ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*color)


_Entry = tuple[str, str, Color, int | None]  # where it is in the file, name, color and number


def _of_csv(text: str, path: Path) -> Iterator[_Entry]:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    try:
        rows = [
            {(key or "").strip().lower(): value for key, value in row.items()}
            for row in csv.DictReader(io.StringIO(text), delimiter=delimiter)
        ]
    except csv.Error as error:
        raise SegcamError(f"The color table {path} cannot be read: {error_text(error)}.") from error
    for line, row in enumerate(rows, start=2):
        cells = {key: value.strip() for key, value in row.items() if isinstance(value, str)}
        name = next((cells[key] for key in _NAMES if cells.get(key)), "")
        hex_text = next((cell for key, cell in cells.items() if cell and _COLOR_KEY.fullmatch(key)), "")
        color = _color(hex_text or [cells.get(key, "") for key in ("r", "g", "b")])
        number = next((cells[key] for key in _NUMBERS if cells.get(key)), None)
        if not name or color is None or (number is not None and not number.isdecimal()):
            raise SegcamError(
                f"The color table {path}, line {line}: expected a class name and r, g, b from 0 to 255, below a first "
                "line name,r,g,b; or name,color with colors such as #ff8800."
            )
        yield f"line {line}", name, color, None if number is None else int(number)


def _of_itk_snap(text: str, path: Path) -> Iterator[_Entry]:
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip() or content.lstrip().startswith("#"):
            continue
        match = _ITK_SNAP.fullmatch(content)
        color = None if match is None else _color(list(match.groups()[1:4]))
        if match is None or color is None or not match[5].strip():
            raise SegcamError(f"The color table {path}, line {line}: this is not a line of an ITK-SNAP label file.")
        if int(match[1]):  # 0 is what is not labeled
            yield f"line {line}", match[5].strip(), color, int(match[1])


def _of_json(text: str, path: Path) -> Iterator[_Entry]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SegcamError(f"The color table {path} is not JSON: {error_text(error)}.") from error
    rows = content.items() if isinstance(content, dict) else [(None, row) for row in content]
    for count, (key, value) in enumerate(rows, start=1):
        entry = value if isinstance(value, dict) else {"color": value}
        name = key if key is not None else next((entry[field] for field in _NAMES if field in entry), None)
        color = _color(next((part for field, part in entry.items() if _COLOR_KEY.fullmatch(field)), None))
        number = next((entry[field] for field in _NUMBERS if field in entry), None)
        is_number = isinstance(number, int) and not isinstance(number, bool) and number >= 0
        if not isinstance(name, str) or not name.strip() or color is None or not (number is None or is_number):
            raise SegcamError(f"The color table {path}, entry {count}: expected a name and a color. {FORMATS}")
        yield f"entry {count}", name.strip(), color, number


def _color(value: object) -> Color | None:
    """Return a color from ``#rrggbb`` or three numbers; None if it is neither."""
    if isinstance(value, str):
        match = _HEX.fullmatch(value.strip())
        return None if match is None else hex_color(match[1])
    if not isinstance(value, list | tuple) or len(value) != 3:
        return None
    parts = [str(part).strip() for part in value]
    if not all(part.isdecimal() and int(part) < 256 for part in parts):
        return None
    red, green, blue = map(int, parts)
    return red, green, blue
