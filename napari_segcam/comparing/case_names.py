"""Names of cases: in a CSV list, a column ``case`` says which images are of one patient or exam."""

from __future__ import annotations

from pathlib import Path

from napari_segcam.csv_list import read_list


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
    table = read_list(source)
    if "case" not in table or "image" not in table:
        return {}
    return {row["image"]: row["case"] for _, row in table.rows if row["case"]}
