"""The log of a run: what was removed from which copy, without anything that was removed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_segcam.deidentifying.options import DeidentifyOptions
from napari_segcam.deidentifying.records import CopyRecord, Refusal
from napari_segcam.files import json_bytes, whole_file, write_table
from napari_segcam.version import __version__

COLUMNS = ("file", "copy", "tag", "keyword", "vr", "action", "reason", "count")
JSON, CSV = "deidentification.json", "deidentification.csv"


def write_log(
    json_path: Path,
    csv_path: Path,
    options: DeidentifyOptions,
    records: Sequence[CopyRecord],
    refusals: Sequence[Refusal],
) -> None:
    """Write the log as JSON, and its elements as CSV.

    Raises:
        SegcamError: if a file cannot be written.
    """
    content: dict[str, Any] = {
        "software": f"napari-segcam {__version__}",
        "profile": "DICOM PS3.15 Basic Application Level Confidentiality Profile",
        "region": options.region,
        "dates": "moved" if options.dates == "shift" else "removed",
        "mapping_written": options.mapping is not None,
        "copies": [record.as_json() for record in records],
        "refused": [{"file": refusal.number, "reason": refusal.reason} for refusal in refusals],
    }
    with whole_file(json_path) as temporary:
        temporary.write_bytes(json_bytes(content, indent=1))
    rows = (
        {"file": record.number, "copy": record.copy, "count": count}
        | {name: getattr(entry, name) for name in ("tag", "keyword", "vr", "action", "reason")}
        for record in records
        for entry, count in record.entries
    )
    write_table(csv_path, COLUMNS, rows)
