"""Lists: CSV files that users write, with a heading for each column."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import refuse_no_file


@dataclass(frozen=True)
class CsvList:
    """The content of a list.

    Attributes:
        columns: the headings as they are written, without spaces around them.
        rows: each with its line in the file, and its cells by heading in lower case, without spaces around them.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[int, Mapping[str, str]]]

    def __contains__(self, column: str) -> bool:
        return column in {name.lower() for name in self.columns}


def read_list(path: Path) -> CsvList:
    """Read a list: UTF-8, with commas, or with semicolons if its first line has no comma.

    Args:
        path: of the file.

    Raises:
        SegcamError: if it cannot be read.
    """
    refuse_no_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first_line = file.readline()
            file.seek(0)
            table = csv.DictReader(file, delimiter=";" if ";" in first_line and "," not in first_line else ",")
            columns = [(name or "").strip() for name in table.fieldnames or ()]
            rows = [
                (
                    table.line_num,
                    {
                        (name or "").strip().lower(): (cell or "").strip()
                        for name, cell in row.items()
                        if name is not None
                    },
                )
                for row in table
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SegcamError(f"The list {path} cannot be read: {error_text(error)}.") from error
    return CsvList(columns, rows)


def _cells(row: Mapping[str | None, str | None]) -> dict[str, str]:
    """Return the cells of a row by heading; cells beyond the last heading are left out."""
    return {name.strip().lower(): (cell or "").strip() for name, cell in row.items() if name is not None}
