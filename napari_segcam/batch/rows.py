"""Rows of a table: the figures of an explanation, one row per stage."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.evidence import FrameEvidence
from napari_segcam.evidence.attention import Attention, attention_to, finite_row
from napari_segcam.evidence.finding import area_mm2, finding
from napari_segcam.evidence.in_out import InOut, in_out
from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.imaging.geometry import Crop
from napari_segcam.mask_metrics.metrics import MaskMetrics, undefined_metrics
from napari_segcam.mask_metrics.overlap import overlap
from napari_segcam.reporting.evidence_rows import evidence_rows
from napari_segcam.reporting.run_format import EVIDENCE, Row
from napari_segcam.reporting.sheets import class_name_of, other_classes

_BEFORE_NULL = ("mean", "std", "inside", "outside", "ratio")
_NO_TRUTH = "there is no true mask"
_ONE_NETWORK = "it is one network: only the members of an ensemble can disagree"


def rows_of(
    image: str,
    frame: int,
    explanation: Explanation,
    true_mask: NDArray[np.bool_] | None,
    spacing_mm: tuple[float, float] | None,
    scan: Crop | None = None,
    evidence: FrameEvidence | None = None,
    measures: Collection[str] = (),
    metrics: MaskMetrics | None = None,
) -> list[Row]:
    """Return one row per stage, with the columns of ``COLUMNS`` in ``run_format``, and of ``EVIDENCE`` if there is any.

    Undefined values are None. An empty reason is ``""``.

    Args:
        image: name of the image.
        frame: number of the frame.
        explanation: of one class by one method.
        true_mask: ``(Y, X)`` of that class; None if it is unknown.
        spacing_mm: of rows and of columns; None if it is unknown.
        scan: rows and columns that show the scan, in which the null of a ratio places the region; None if unknown.
        evidence: of the explanation, if it was measured.
        measures: those that were to be taken.
        metrics: of the mask beside the true one; None if one of them is missing.

    Raises:
        SegcamError: if the true mask does not have the shape of the frame.
    """
    regions = [explanation.region] if true_mask is None else [explanation.region, true_mask]
    in_region, *in_truth = attention_to(explanation, regions)
    truth_figures = in_truth[0] if in_truth else {}
    nulls = in_out(explanation, scan=scan)
    truth_nulls = in_out(replace(explanation, region=true_mask), scan=scan) if true_mask is not None else {}
    class_figures = _class_figures(explanation, true_mask, spacing_mm, metrics)
    evidence_by_stage = _evidence_columns(frame, explanation, evidence, measures)
    rows = [
        {
            "image": image,
            "frame": frame,
            "class": class_name_of(explanation),
            "method": explanation.method,
            "stage": stage,
            **_with_null(in_region[stage].as_row(heatmap), nulls[stage]),
            **_truth_columns(truth_figures.get(stage), truth_nulls.get(stage), heatmap),
            **class_figures,
            "against": other_classes(explanation),
            "empty": heatmap.reason.value if heatmap.reason else "",
            **evidence_by_stage.get(stage, {}),
        }
        for stage, heatmap in explanation.heatmaps.items()
    ]
    return [finite_row(row) for row in rows]


def _with_null(figures: Row, null: InOut) -> Row:
    """Return attention figures with the null of their ratio, in the order of the table."""
    columns = {**figures, **null.ratio_columns()}
    if figures["undefined"]:
        columns["null_undefined"] = ""  # the reason is there already
    return {name: columns[name] for name in (*_BEFORE_NULL, "ratio_null", "ratio_p", "undefined", "null_undefined")}


def _truth_columns(attention: Attention | None, null: InOut | None, heatmap: Heatmap) -> Row:
    """Return the columns on attention to the true mask; None if there is no true mask."""
    figures: Row = {"undefined": _NO_TRUTH, "null_undefined": ""}
    if attention and null:
        figures = _with_null(attention.as_row(heatmap), null)
    names = ("inside", "outside", "ratio", "ratio_null", "ratio_p", "undefined", "null_undefined")
    return {f"truth_{name}": figures.get(name) for name in names}


def _evidence_columns(
    frame: int, explanation: Explanation, evidence: FrameEvidence | None, measures: Collection[str]
) -> dict[str, Row]:
    """Return the columns of evidence by stage; none if it was not measured."""
    if evidence is None:
        return {}
    rows = evidence_rows(frame, explanation, evidence.evidence, measures, evidence.doubt)
    return {
        row["stage"]: {name: row["undefined" if name == "evidence_undefined" else name] for name in EVIDENCE}
        for row in rows
    }


def _class_figures(
    explanation: Explanation,
    true_mask: NDArray[np.bool_] | None,
    spacing_mm: tuple[float, float] | None,
    metrics: MaskMetrics | None,
) -> Row:
    """Return the columns on the mask of the class, which are the same for all stages."""
    probabilities = explanation.probabilities[explanation.target.class_index or 0]
    truth_pixels = int(np.count_nonzero(true_mask)) if true_mask is not None else None
    truth_figures = {
        "truth_pixels": truth_pixels,
        "truth_area_mm2": area_mm2(truth_pixels, spacing_mm) if truth_pixels is not None else None,
        **(undefined_metrics(explanation.no_mask or _NO_TRUTH) if metrics is None else metrics.row),
    }
    if explanation.no_mask is not None:
        return {
            **dict.fromkeys(("dice", "iou")),
            "overlap_undefined": explanation.no_mask,
            **dict.fromkeys(("pixels", "area_mm2")),
            "probability": float(probabilities[0, 0]),
            **_disagreement(explanation),
            **truth_figures,
        }
    mask = explanation.target_mask
    agreement = overlap(mask, true_mask) if true_mask is not None else None
    if agreement is None:
        undefined = _NO_TRUTH
    else:
        undefined = "" if agreement.dice is not None else "neither the prediction nor the truth has the class"
    return {
        "dice": agreement and agreement.dice,
        "iou": agreement and agreement.iou,
        "overlap_undefined": undefined,
        **vars(finding(mask, probabilities, spacing_mm)),
        **_disagreement(explanation),
        **truth_figures,
    }


def _disagreement(explanation: Explanation) -> Row:
    """Return the columns on how much the members of an ensemble differ."""
    disagreement = explanation.disagreement
    if disagreement is None:
        return {"disagreement": None, "disagreement_undefined": _ONE_NETWORK}
    return {"disagreement": disagreement.value, "disagreement_undefined": disagreement.undefined}
