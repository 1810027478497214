"""All metrics of a predicted mask beside the true one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.mask_metrics.boundary import boundary_probability
from napari_segcam.mask_metrics.calibration import calibration
from napari_segcam.mask_metrics.columns import METRIC_COLUMNS, REASON_OF_METRIC
from napari_segcam.mask_metrics.detection import detection
from napari_segcam.mask_metrics.overlap import rates, ratio
from napari_segcam.mask_metrics.probability_bins import probability_bins
from napari_segcam.mask_metrics.surfaces import surface_metrics
from napari_segcam.mask_metrics.threshold_sweep import threshold_sweep

_NO_TRUE_PIXEL = "the true mask is empty"
_NO_PREDICTED_PIXEL = "the predicted mask is empty"
_ALL_TRUE = "the true mask is the whole frame"
_NOT_CALIBRATED = "the image is not calibrated"
_NOT_FINITE = "some probabilities are not finite numbers"

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskMetrics:
    """The metrics of one class in one frame.

    Attributes:
        row: a value for each of ``METRIC_COLUMNS``; None if it is undefined, and then its reason is in another column.
        curves: the curve of ``reliability`` and that over the ``thresholds``, in plain values; empty if the
            probabilities are not finite.
    """

    row: Mapping[str, Any]
    curves: Mapping[str, Any]


def mask_metrics(
    prediction: Mask,
    truth: Mask,
    probabilities: NDArray[np.float32],
    spacing_mm: tuple[float, float] | None,
    tolerance: float,
    threshold: float | None,
) -> MaskMetrics:
    """Measure a predicted mask beside the true one.

    Args:
        prediction: ``(Y, X)`` bool.
        truth: ``(Y, X)`` bool.
        probabilities: ``(Y, X)`` of the class.
        spacing_mm: of rows and of columns; None if it is unknown, and then distances are in pixels.
        tolerance: of the surface dice, in mm or, if the spacing is unknown, in pixels.
        threshold: that cut the prediction; None if it was not cut by one.
    """
    window = _window(prediction | truth)
    predicted_part, true_part = prediction[window], truth[window]
    surfaces = surface_metrics(predicted_part, true_part, spacing_mm or (1.0, 1.0), tolerance)
    own = rates(prediction, truth)
    predicted, true = int(np.count_nonzero(prediction)), int(np.count_nonzero(truth))
    is_finite = bool(np.isfinite(probabilities.sum(dtype=np.float64)))
    bins = probability_bins(probabilities, truth) if is_finite else None
    reliability = calibration(bins) if bins is not None else None
    at_boundary = boundary_probability(probabilities[window], true_part) if is_finite else None
    no_boundary = _ALL_TRUE if true else _NO_TRUE_PIXEL
    values: dict[str, Any] = {
        **vars(own),
        **vars(surfaces),
        "area_difference_mm2": None if spacing_mm is None else (predicted - true) * spacing_mm[0] * spacing_mm[1],
        "area_difference": ratio(predicted - true, true),
        **{f"findings_{name}": count for name, count in vars(detection(predicted_part, true_part)).items()},
        "boundary_probability": at_boundary,
        "calibration_error": reliability and reliability.error,
    }
    reasons = {
        "sensitivity": _NO_TRUE_PIXEL,
        "precision": _NO_PREDICTED_PIXEL,
        "specificity": _ALL_TRUE,
        "area_difference_mm2": _NOT_CALIBRATED,
        "area_difference": _NO_TRUE_PIXEL,
        "boundary_probability": no_boundary if is_finite else _NOT_FINITE,
        "calibration_error": _NOT_FINITE,
    }
    texts = {
        "surface_unit": "px" if spacing_mm is None else "mm",
        "surface_undefined": surfaces.undefined,
        **{column: _why(column, values, reasons) for column in ("rates_undefined", "metrics_undefined")},
    }
    curves = {}
    if bins is not None and reliability is not None:
        curves = {
            "reliability": {name: list(getattr(reliability, name)) for name in ("count", "probability", "truth")},
            "thresholds": threshold_sweep(bins, prediction, truth, threshold),
        }
    return MaskMetrics({column: {**values, **texts}[column] for column in METRIC_COLUMNS}, curves)


def undefined_metrics(reason: str) -> dict[str, Any]:
    """Return the columns of metrics that cannot be measured: all without a value, with the reason."""
    texts = {"surface_unit": "", **dict.fromkeys(REASON_OF_METRIC.values(), reason)}
    return {column: texts.get(column) for column in METRIC_COLUMNS}


def _why(column: str, values: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    """Return why the metrics without a value have none, of those whose reasons are in a column."""
    return "; ".join(
        f"{metric}: {reasons[metric]}"
        for metric, reason_column in REASON_OF_METRIC.items()
        if reason_column == column and values[metric] is None
    )


def _window(mask: Mask) -> tuple[slice, slice]:
    """Return the smallest part of the frame with all pixels of a mask ``(Y, X)``, and one pixel more on each side.

    Boundaries, the distances between them and components of masks in this part are those in the frame: what is one
    pixel away from both masks belongs to none of them.
    """
    if not mask.any():
        return slice(0, 1), slice(0, 1)
    occupied = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    rows, columns = (slice(max(0, int(where[0]) - 1), int(where[-1]) + 2) for where in occupied)
    return rows, columns
