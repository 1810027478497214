"""Rows: the figures of an explanation as a tidy table has them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_segcam.evidence.attention import Attention, attention_to, finite_row
from napari_segcam.evidence.finding import area_mm2, finding
from napari_segcam.evidence.overlap import overlap
from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.reporting.run_format import Row

_NO_TRUTH = "there is no true mask"


def rows_of(
    image: str,
    frame: int,
    explanation: Explanation,
    truth: NDArray[np.bool_] | None,
    spacing_mm: tuple[float, float] | None,
) -> list[Row]:
    """Return one row per stage, with the columns of ``COLUMNS`` in ``run_format``.

    None is undefined; a reason is ``""`` where there is none.

    Args:
        image: its name.
        frame: its number.
        explanation: of one class by one method.
        truth: ``(Y, X)`` true mask of that class.
        spacing_mm: of rows and of columns, None where unknown.

    Raises:
        SegcamError: if the true mask is not of the frame's shape.
    """
    figures, *of_truth = attention_to(explanation, [explanation.region, *([] if truth is None else [truth])])
    against_truth = of_truth[0] if of_truth else {}
    of_class = _of_class(explanation, truth, spacing_mm)
    rows = [
        {
            "image": image,
            "frame": frame,
            "class": explanation.class_names[explanation.target.class_index or 0],
            "method": explanation.method,
            "stage": stage,
            **figures[stage].as_row(heatmap),
            **_against_truth(against_truth.get(stage), heatmap),
            **of_class,
            "empty": heatmap.reason.value if heatmap.reason else "",
        }
        for stage, heatmap in explanation.heatmaps.items()
    ]
    return [finite_row(row) for row in rows]


def _against_truth(figures: Attention | None, heatmap: Heatmap) -> Row:
    known = figures.as_row(heatmap) if figures else {"undefined": _NO_TRUTH}
    return {f"truth_{name}": known.get(name) for name in ("inside", "outside", "ratio", "undefined")}


def _of_class(explanation: Explanation, truth: NDArray[np.bool_] | None, spacing_mm: tuple[float, float] | None) -> Row:
    """What was found of the class, whatever the stage."""
    probabilities = explanation.probabilities[explanation.target.class_index or 0]
    true = int(np.count_nonzero(truth)) if truth is not None else None
    of_truth = {"truth_pixels": true, "truth_area_mm2": area_mm2(true, spacing_mm) if true is not None else None}
    if explanation.no_mask is not None:
        return {
            **dict.fromkeys(("dice", "iou")),
            "overlap_undefined": explanation.no_mask,
            **dict.fromkeys(("pixels", "area_mm2")),
            "probability": float(probabilities[0, 0]),
            **of_truth,
        }
    found = explanation.target_mask
    agreement = overlap(found, truth) if truth is not None else None
    if agreement is None:
        undefined = _NO_TRUTH
    else:
        undefined = "" if agreement.dice is not None else "neither the prediction nor the truth has the class"
    return {
        "dice": agreement and agreement.dice,
        "iou": agreement and agreement.iou,
        "overlap_undefined": undefined,
        **vars(finding(found, probabilities, spacing_mm)),
        **of_truth,
    }
