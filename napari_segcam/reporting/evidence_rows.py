"""Evidence as a table: one row per frame, class, method and stage; each number with its null or a reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_segcam.evidence.attention import finite_row
from napari_segcam.evidence.doubt.measuring import Doubt
from napari_segcam.evidence.measuring import Evidence
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.stage_evidence import StageEvidence
from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.explanation.stage_maps import find_method
from napari_segcam.files import write_table
from napari_segcam.reporting.evidence_columns import EVIDENCE_COLUMNS
from napari_segcam.reporting.sheets import class_name_of

_NO_STAGE = "the map belongs to no stage of the network, so none can be hidden"


def evidence_rows(
    frame: int, explanation: Explanation, evidence: Evidence, measures: Collection[str] = (), doubt: Doubt | None = None
) -> list[dict[str, Any]]:
    """Return the evidence of a frame, one row per stage, with the columns of ``EVIDENCE_COLUMNS``.

    Args:
        frame: its number.
        explanation: of the frame.
        evidence: of the explanation.
        measures: those that were to be taken; where one of them has no value, ``undefined`` says why.
        doubt: about the mask, if it was measured.
    """
    key = {"frame": frame, "class": class_name_of(explanation), "method": explanation.method}
    effect = None if evidence.overlay_effect is None else evidence.overlay_effect.effect
    of_frame: dict[str, Any] = {"agreement": evidence.agreement, **_with_null("overlay_effect", effect)}
    if doubt is not None:
        of_frame |= {"doubt": doubt.value, "doubt_measure": doubt.measure}
    rows = []
    for name, stage in evidence.stages.items():
        values = {**key, "stage": name, **of_frame, **_stage_values(stage)}
        missing = _missing(explanation, explanation.heatmaps[name], values, measures)
        reasons = {**missing, **stage.undefined, **_reasons(stage)}
        if effect is not None and effect.undefined:
            reasons["overlay_effect"] = effect.undefined
        if doubt is not None and doubt.reason:
            reasons["doubt"] = doubt.reason
        values["undefined"] = "; ".join(f"{column}: {reason}" for column, reason in reasons.items())
        values["shown_first"] = evidence.shown_first.name or ""
        rows.append(finite_row({column: values.get(column) for column in EVIDENCE_COLUMNS}))
    return rows


def write_evidence(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write evidence rows as CSV; undefined values are empty, with the reason in ``undefined``."""
    write_table(path, EVIDENCE_COLUMNS, rows)


def _stage_values(stage: StageEvidence) -> dict[str, Any]:
    in_out, off_scan = stage.in_out, stage.off_scan
    ratio, share = (in_out.ratio, in_out.share) if in_out else (None, None)
    return {
        "influence": stage.influence.value if stage.influence else None,
        "influence_on_score": stage.influence.score if stage.influence else None,
        "influence_blur": stage.influence.others.get("blur") if stage.influence else None,
        "influence_other_frame": stage.influence.others.get("other frame") if stage.influence else None,
        "takes_part": _takes_part(stage),
        **_with_null("faithfulness", stage.faithfulness),
        **_with_null("ratio", ratio),
        **_with_null("share", share),
        "echo": stage.echo,
        "sanity": stage.sanity,
        "stability": stage.stability,
        "off_scan": off_scan.outside if off_scan else None,
        "off_scan_ring": off_scan.ring if off_scan else None,
        "statement": stage.statement,
    }


def _takes_part(stage: StageEvidence) -> str:
    if stage.influence is None or stage.influence.value is None:
        return ""
    if stage.takes_part is None:
        return "unclear"
    return "yes" if stage.takes_part else "no"


def _reasons(stage: StageEvidence) -> dict[str, str]:
    """Return why figures with a null, or their nulls, are undefined."""
    in_out = stage.in_out
    measurements = {
        "faithfulness": stage.faithfulness,
        "ratio": in_out.ratio if in_out else None,
        "share": in_out.share if in_out else None,
    }
    return {name: figure.undefined for name, figure in measurements.items() if figure is not None and figure.undefined}


def _missing(
    explanation: Explanation, heatmap: Heatmap, values: Mapping[str, Any], measures: Collection[str]
) -> dict[str, str]:
    """Return why measures that were to be taken have no value."""
    reasons: dict[str, str] = {}
    own_stage = find_method(explanation.method).stage is not None
    empty = heatmap.reason.value if heatmap.reason else ""
    defaults = {
        "influence": ("influence", _NO_STAGE if own_stage else "the explained score is 0, so it cannot get lower"),
        "faithfulness": ("faithfulness", _NO_STAGE if own_stage else empty),
        "echo": ("echo", empty or explanation.no_mask or "the map or the probability is the same everywhere"),
        "sanity": ("sanity", empty or "the map is the same everywhere, or empty in every shuffled network"),
        "stability": ("stability", empty or "the map is the same everywhere, or empty in every other view"),
        "off_scan": ("off_scan", empty or "it is not known which part of the frame shows the scan"),
    }
    for measure, (column, reason) in defaults.items():
        if measure in measures and values[column] is None and reason:
            reasons[column] = reason
    if "stability" in measures and values["agreement"] is None:
        reasons["agreement"] = explanation.no_mask or "the masks of the views cannot be compared"
    return reasons


def _with_null(name: str, measurement: Measurement | None) -> dict[str, float | None]:
    if measurement is None:
        return {name: None, f"{name}_null": None, f"{name}_p": None}
    return {name: measurement.value, f"{name}_null": measurement.expected, f"{name}_p": measurement.p}
