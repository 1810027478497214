"""Evidence as a table: one row per frame, class, method and stage; each number with its null or a reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_segcam.evidence.attention import finite_row
from napari_segcam.evidence.measuring import Evidence
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.stage_evidence import StageEvidence
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.files import write_table
from napari_segcam.reporting.sheets import class_name_of

EVIDENCE_COLUMNS = (
    "frame",
    "class",
    "method",
    "stage",
    "influence",
    "influence_on_score",
    "faithfulness",
    "faithfulness_null",
    "faithfulness_p",
    "ratio",
    "ratio_null",
    "ratio_p",
    "share",
    "share_null",
    "share_p",
    "echo",
    "sanity",
    "stability",
    "off_scan",
    "off_scan_ring",
    "agreement",
    "undefined",
    "statement",
)


def evidence_rows(frame: int, explanation: Explanation, evidence: Evidence) -> list[dict[str, Any]]:
    """Return the evidence of a frame, one row per stage, with the columns of ``EVIDENCE_COLUMNS``."""
    key = {"frame": frame, "class": class_name_of(explanation), "method": explanation.method}
    return [
        finite_row({**key, "stage": name, "agreement": evidence.agreement, **_stage_values(stage)})
        for name, stage in evidence.stages.items()
    ]


def write_evidence(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write evidence rows as CSV; undefined values are empty, with the reason in ``undefined``."""
    write_table(path, EVIDENCE_COLUMNS, rows)


def _stage_values(stage: StageEvidence) -> dict[str, Any]:
    in_out, off_scan = stage.in_out, stage.off_scan
    ratio, share = (in_out.ratio, in_out.share) if in_out else (None, None)
    reasons = {
        name: measurement.undefined
        for name, measurement in (("faithfulness", stage.faithfulness), ("ratio", ratio), ("share", share))
        if measurement is not None and measurement.undefined
    }
    return {
        "influence": stage.influence.value if stage.influence else None,
        "influence_on_score": stage.influence.score if stage.influence else None,
        **_with_null("faithfulness", stage.faithfulness),
        **_with_null("ratio", ratio),
        **_with_null("share", share),
        "echo": stage.echo,
        "sanity": stage.sanity,
        "stability": stage.stability,
        "off_scan": off_scan.outside if off_scan else None,
        "off_scan_ring": off_scan.ring if off_scan else None,
        "undefined": "; ".join(f"{name}: {reason}" for name, reason in reasons.items()),
        "statement": stage.statement,
    }


def _with_null(name: str, measurement: Measurement | None) -> dict[str, float | None]:
    if measurement is None:
        return {name: None, f"{name}_null": None, f"{name}_p": None}
    return {name: measurement.value, f"{name}_null": measurement.expected, f"{name}_p": measurement.p}
