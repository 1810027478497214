"""Names of cases: in a CSV list, a column ``case`` says which images are of one patient or exam."""

from __future__ import annotations

import csv
from pathlib import Path

from napari_segcam.errors import SegcamError, error_text


def case_names(source: Path) -> dict[str, str]:
    """Return the case of each image by the image's name in a list; empty without a column ``case``.

    An image without a name in that column is a case of its own.

    Args:
        source: of the images, as for ``images_of``.

    Raises:
        SegcamError: if the list cannot be read.
    """
    if source.is_dir() or source.suffix.lower() != ".csv":
        return {}
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            first_line = file.readline()
            file.seek(0)
            table = csv.DictReader(file, delimiter=";" if ";" in first_line and "," not in first_line else ",")
            columns = {(name or "").strip().lower(): name for name in table.fieldnames or ()}
            if "case" not in columns or "image" not in columns:
                return {}
            image, case = columns["image"], columns["case"]
            return {(row[image] or "").strip(): name for row in table if (name := (row[case] or "").strip())}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SegcamError(f"The list {source} cannot be read: {error_text(error)}.") from error
