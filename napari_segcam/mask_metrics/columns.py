"""The columns of the metrics in a table of results."""

from __future__ import annotations

METRIC_COLUMNS: dict[str, type] = {
    "sensitivity": float,
    "precision": float,
    "specificity": float,
    "rates_undefined": str,
    "surface_dice": float,
    "hd95": float,
    "mean_surface_distance": float,
    "surface_unit": str,
    "surface_undefined": str,
    "area_difference_mm2": float,
    "area_difference": float,
    "findings_true": int,
    "findings_found": int,
    "findings_missed": int,
    "findings_false": int,
    "findings_split": int,
    "findings_merged": int,
    "boundary_probability": float,
    "calibration_error": float,
    "metrics_undefined": str,
}
"""The columns in order, each with the type of its defined values."""

REASON_OF_METRIC: dict[str, str] = {
    **dict.fromkeys(("sensitivity", "precision", "specificity"), "rates_undefined"),
    **dict.fromkeys(("surface_dice", "hd95", "mean_surface_distance"), "surface_undefined"),
    **dict.fromkeys(("area_difference_mm2", "area_difference"), "metrics_undefined"),
    **dict.fromkeys(
        (f"findings_{name}" for name in ("true", "found", "missed", "false", "split", "merged")), "metrics_undefined"
    ),
    **dict.fromkeys(("boundary_probability", "calibration_error"), "metrics_undefined"),
}
"""For each metric, the column that says why it is undefined."""
