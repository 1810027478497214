"""The files of a run: the names in ``run.json``, and the columns of a row of results.

``napari-segcam batch`` writes a run by these names, and the report reads it by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_segcam.deprecated import CARD_FIELDS, present_fields
from napari_segcam.mask_metrics.columns import METRIC_COLUMNS, REASON_OF_METRIC
from napari_segcam.reporting.evidence_columns import EVIDENCE_COLUMNS

FORMAT = 1
"""Of ``run.json`` and of the records: it changes when an earlier version could not read them."""

RESULTS_SCHEMA = 2
"""Of ``results.csv`` and of the rows in the records: it changes with the columns of a run without evidence.

``run.json`` has it as ``results_schema``. 1 has no metrics of masks; a ``run.json`` without it is of 1.
"""

COLUMNS: dict[str, type] = {
    "image": str,
    "frame": int,
    "class": str,
    "method": str,
    "stage": str,
    "mean": float,
    "std": float,
    "inside": float,
    "outside": float,
    "ratio": float,
    "ratio_null": float,
    "ratio_p": float,
    "undefined": str,
    "null_undefined": str,
    "truth_inside": float,
    "truth_outside": float,
    "truth_ratio": float,
    "truth_ratio_null": float,
    "truth_ratio_p": float,
    "truth_undefined": str,
    "truth_null_undefined": str,
    "dice": float,
    "iou": float,
    "overlap_undefined": str,
    "pixels": int,
    "area_mm2": float,
    "probability": float,
    "disagreement": float,
    "disagreement_undefined": str,
    "truth_pixels": int,
    "truth_area_mm2": float,
    **METRIC_COLUMNS,
    "against": str,
    "empty": str,
}
"""The columns of a table of results, in order, each with the type of its defined values."""

EVIDENCE: dict[str, type] = {
    "evidence_undefined" if name == "undefined" else name: kind
    for name, kind in EVIDENCE_COLUMNS.items()
    if name == "undefined" or name not in COLUMNS
}
"""The further columns of a run that measured evidence; ``evidence_undefined`` says why some of them are empty."""

KEY_COLUMNS = ("frame", "class", "method", "stage")
"""The columns that every row of an image has: together they say which heatmap the row is about."""

REASON_COLUMNS = {
    "ratio_null": "null_undefined",
    "ratio_p": "null_undefined",
    "truth_ratio_null": "truth_null_undefined",
    "truth_ratio_p": "truth_null_undefined",
    "mean": "empty",
    "std": "empty",
    "ratio": "undefined",
    "truth_ratio": "truth_undefined",
    "disagreement": "disagreement_undefined",
    "dice": "overlap_undefined",
    "iou": "overlap_undefined",
    **REASON_OF_METRIC,
}
"""For each column whose value can be undefined, the column that says why."""

Row = dict[str, Any]
"""One row of results, by column."""


def columns_of(row: Row) -> dict[str, type]:
    """Return the columns of the table that a row is of: ``COLUMNS``, and ``EVIDENCE`` if its run measured evidence."""
    return COLUMNS | EVIDENCE if "statement" in row else COLUMNS


_RUN_FIELDS = {"wishes": "options"}
_DATA_FIELDS = {"truth_colours": "truth_colors"}


def present_run(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a ``run.json`` with the names of today, whichever version wrote it.

    Args:
        content: of the file, as it was read.

    Raises:
        ValueError: if a field is there under both its earlier and its present name.
    """
    run = present_fields(content, _RUN_FIELDS)
    if isinstance(data := run.get("data"), Mapping):
        run["data"] = present_fields(data, _DATA_FIELDS)
    if isinstance(model := run.get("model"), Mapping) and isinstance(card := model.get("model_card"), Mapping):
        run["model"] = {**model, "model_card": present_fields(card, CARD_FIELDS)}
    return run
