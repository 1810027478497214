"""Calibration: pixel spacing in mm and frame rate from the numbers and units of a header."""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_segcam.imaging.plausibility import is_possible_aspect

_MM = {"m": 1000.0, "cm": 10.0, "mm": 1.0, "um": 1e-3, "µm": 1e-3, "micron": 1e-3, "nm": 1e-6}
_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "usec": 1e-6, "µs": 1e-6}
# Possible pixels of ultrasound: from acoustic microscopy to a scaled-down image.
_SPACINGS_MM = (1e-3, 20.0)
_FRAME_RATES = (0.1, 50_000.0)


def spacing_in_mm(steps: Sequence[float], unit: str | None) -> tuple[tuple[float, float] | None, str]:
    """Return the spacing of rows and columns in mm, None if unknown, and a note on assumptions.

    Args:
        steps: from row to row and from column to column.
        unit: of both, None if not given; millimeters are then assumed.
    """
    if any(not math.isfinite(step) or step == 0 for step in steps):
        return None, ""
    if all(abs(step) == 1 for step in steps) and unit in (None, "mm"):
        return (
            None,
            "The header's spacing is 1, which usually means unknown: the pixels count as uncalibrated.",
        )
    if unit is not None and unit not in _MM:
        return None, f"The header gives the spacing in {unit}, not a length: the pixels count as uncalibrated."
    rows, columns = (abs(step) * _MM[unit or "mm"] for step in steps)
    if not all(_SPACINGS_MM[0] <= step <= _SPACINGS_MM[1] for step in (rows, columns)):
        return (
            None,
            f"The header's spacing of {rows:g} × {columns:g} mm is not possible: the pixels count as uncalibrated.",
        )
    note = "" if unit else f"The header gives the spacing without a unit: {rows:.4g} × {columns:.4g} mm is assumed."
    return (rows, columns), note


def aspect_of(steps: Sequence[float], unit: str | None) -> float | None:
    """Return the height of a pixel divided by its width, which needs no unit; None if unknown.

    Args:
        steps: from row to row and from column to column.
        unit: of both, None if not given.
    """
    if any(not math.isfinite(step) or step == 0 for step in steps) or not (unit is None or is_length(unit)):
        return None
    aspect = abs(steps[0] / steps[1])
    return aspect if is_possible_aspect(aspect) else None


def is_length(unit: str) -> bool:
    """Whether a header's unit is a length."""
    return unit in _MM


def is_time(unit: str) -> bool:
    """Whether a header's unit is a time."""
    return unit in _SECONDS


def rate_of(step: float, unit: str | None) -> float | None:
    """Return frames per second, None if the step from frame to frame is not a possible time."""
    if unit not in _SECONDS or not math.isfinite(step) or step <= 0:
        return None
    rate = 1 / (step * _SECONDS[unit])
    return rate if _FRAME_RATES[0] <= rate <= _FRAME_RATES[1] else None
