"""Provenance: where each exported pair comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from napari_segcam.files import write_table
from napari_segcam.review.export.formats.writer import Written, write_json
from napari_segcam.review.export.options import ExportOptions
from napari_segcam.review.export.pairs import Pair
from napari_segcam.review.predictions import Predictor
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.version import __version__

COLUMNS = (
    *("name", "images", "mask", "case", "source", "source_sha256", "frame", "rater", "repeat", "verdict", "mask_from"),
    *("events", "checkpoint", "checkpoint_sha256", "threshold", "row_spacing_mm", "column_spacing_mm", "pixels"),
    *("program",),
)


def provenance_row(work: RaterWork, pair: Pair, written: Written, predictor: Predictor) -> Mapping[str, Any]:
    """Return the row of a pair, with the columns of ``COLUMNS``."""
    source, spacing = pair.source, pair.spacing_mm or (None, None)
    checkpoint = predictor.checkpoint
    return {
        "name": pair.name,
        "images": "; ".join(written.images),
        "mask": written.mask,
        "case": source.case.id,
        "source": source.case.path,
        "source_sha256": source.case.sha256,
        "frame": source.frame,
        "rater": work.rater,
        "repeat": source.reading.repeat,
        "verdict": source.verdict,
        "mask_from": pair.mask_from,
        "events": "; ".join(map(str, source.events)),
        "checkpoint": checkpoint.name,
        "checkpoint_sha256": "; ".join(checkpoint.sha256),
        "threshold": pair.threshold,
        "row_spacing_mm": spacing[0],
        "column_spacing_mm": spacing[1],
        "pixels": written.pixels or "as in the file",
        "program": f"napari-segcam {__version__}",
    }


def write_provenance(
    folder: Path,
    review: Review,
    work: RaterWork,
    options: ExportOptions,
    labels: Mapping[str, int],
    rows: Sequence[Mapping[str, Any]],
    left_out: Mapping[str, int],
    warnings: Sequence[str],
    written: datetime,
) -> None:
    """Write ``provenance.csv`` and ``provenance.json``, the same with the options and what was left out.

    Raises:
        SegcamError: if they cannot be written.
    """
    write_table(folder / "provenance.csv", COLUMNS, rows)
    write_json(
        folder / "provenance.json",
        {
            "project": review.project.title,
            "written": written.isoformat(timespec="seconds"),
            "program": f"napari-segcam {__version__}",
            "options": asdict(options),
            "rater": work.rater,
            "labels": {"background": 0, **labels},
            "left_out": dict(left_out),
            "warnings": list(warnings),
            "pairs": [dict(row) for row in rows],
        },
    )
