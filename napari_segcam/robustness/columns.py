"""The columns of ``robustness.csv``, and a row as its cells and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_segcam.files import from_cell

Row = dict[str, Any]
Key = tuple[str, int, str, str, float]

NO_PERTURBATION = "none"

FRAME_COLUMNS: dict[str, type] = {
    "case": str,
    "image": str,
    "frame": int,
    "class": str,
    "perturbation": str,
    "strength": float,
    "unit": str,
    "against": str,
    "dice": float,
    "dice_undefined": str,
    "pixels": int,
    "findings": int,
    "findings_found": int,
    "detected": bool,
    "stage": str,
    "heatmap_correlation": float,
    "heatmap_overlap": float,
    "heatmap_undefined": str,
}
"""The columns of ``robustness.csv``, with the type of a defined value."""


def key_of(row: Row) -> Key:
    """Return what no two rows share."""
    return row["image"], row["frame"], row["class"], row["perturbation"], row["strength"]


def row_of_cells(cells: Mapping[str, str]) -> Row:
    """Return the row that was written as cells.

    Raises:
        ValueError: if a cell is missing, or not of its type.
        KeyError: if a column is missing.
    """
    return {name: _value(cells[name], kind) for name, kind in FRAME_COLUMNS.items()}


def _value(cell: str | None, kind: type) -> Any:
    if cell is None:
        raise ValueError("A cell is missing.")
    if kind is str:
        return from_cell(cell)
    if not cell:
        return None
    if kind is bool:
        return {"True": True, "False": False}[cell]
    return kind(cell)
