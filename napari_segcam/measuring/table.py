"""The table of measurements, ``measurements.csv``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from napari_segcam.files import write_table
from napari_segcam.measuring.measurement import VALUES, Measurement

FILE = "measurements.csv"
COLUMNS = (
    *("image", "file", "frame", "name", "kind"),
    *VALUES,
    *("length_unit", "area_unit", "volume_unit", "undefined", "row_spacing_mm", "column_spacing_mm"),
    *("measured_on", "threshold", "ends_moved", "class", "model", "notes", "points", "id"),
)


def measurement_row(measurement: Measurement, image: str, file: str = "") -> dict[str, Any]:
    """Return a measurement as a row with the columns of ``COLUMNS``; what it does not have is None.

    Args:
        measurement: that is written.
        image: the name of the image.
        file: from which the image was opened.
    """
    values, source, pixel_size = measurement.values(), measurement.source, measurement.pixel_size
    is_volume = measurement.kind == "volume"
    spacing_mm = pixel_size.spacing_mm or (None, None)
    notes = [*measurement.notes, *measurement.planes]
    return {
        "image": image,
        "file": file,
        "frame": measurement.frame,
        "name": measurement.name,
        "kind": measurement.kind,
        **{name: values.get(name) for name in VALUES},
        "length_unit": measurement.unit,
        "area_unit": f"{measurement.unit}²",
        "volume_unit": measurement.volume_unit if is_volume else "",
        "undefined": measurement.undefined() if pixel_size.is_calibrated else _uncalibrated(measurement),
        "row_spacing_mm": spacing_mm[0],
        "column_spacing_mm": spacing_mm[1],
        "measured_on": "drawn" if source is None else source.of,
        "threshold": None if source is None else source.threshold,
        "ends_moved": "" if source is None else source.moved,
        "class": "" if source is None else source.class_name,
        "model": "" if source is None else source.model,
        "notes": "; ".join(notes),
        "points": json.dumps([[round(row, 2), round(column, 2)] for row, column in measurement.points]),
        "id": measurement.identity,
    }


def write_measurements(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows of measurements as CSV; what is undefined is an empty cell.

    Raises:
        SegcamError: if the file cannot be written.
    """
    write_table(path, COLUMNS, rows)


def _uncalibrated(measurement: Measurement) -> str:
    words = "uncalibrated: the file does not say how large a pixel is"
    return "; ".join(filter(None, (words, measurement.undefined())))
