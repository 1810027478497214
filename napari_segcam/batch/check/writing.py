"""Writing the files of a check: each is complete, or not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from napari_segcam.batch.check.checking import Check
from napari_segcam.batch.check.page import page_of
from napari_segcam.batch.check.verdict import Verdict, verdicts
from napari_segcam.batch.provenance import network_record, versions
from napari_segcam.batch.tables import write_results
from napari_segcam.files import json_bytes, whole_file
from napari_segcam.reporting.explanation_record import replace_nonfinite
from napari_segcam.reporting.report.html import write_html
from napari_segcam.reporting.report.pdf import write_pdf
from napari_segcam.reporting.run_format import Row
from napari_segcam.version import __version__


def write_check(
    folder: Path, check: Check, rows: Sequence[Row], errors: Mapping[str, str], *, stopped: bool, pdf: bool = True
) -> list[Verdict]:
    """Write ``check.csv``, ``check.json``, ``check.html`` and ``check.pdf``; return the verdicts that they hold.

    Args:
        folder: of the files; created if it is missing.
        check: that was made.
        rows: of all its images.
        errors: by image, of those that could not be checked.
        stopped: whether it was stopped before the last image.
        pdf: whether to write the PDF.

    Raises:
        SegcamError: if a file cannot be written.
    """
    options = check.pipeline.options
    found = verdicts(rows, options.evidence_draws)
    record: dict[str, Any] = {
        "format": 1,
        "napari_segcam": __version__,
        "model": network_record(check.pipeline.network),
        "options": asdict(options),
        "images": len({row["image"] for row in rows}),
        "found": check.found,
        "stopped": stopped,
        "versions": versions(),
        "errors": dict(errors),
        "classes": [verdict.as_dict() for verdict in found],
    }
    write_results(folder / "check.csv", rows)
    with whole_file(folder / "check.json") as path:
        path.write_bytes(json_bytes(replace_nonfinite(record), indent=2))
    document = page_of(found, rows, record, errors, datetime.now().astimezone())
    write_html(folder / "check.html", document)
    if pdf:
        write_pdf(folder / "check.pdf", document)
    return found
