"""Two masks of one frame, compared with each other and with a true mask."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.evidence.finding import area_mm2
from napari_segcam.mask_metrics.overlap import overlap

PIXELS, SQUARE_MM = "pixels", "mm²"

BOTH_EMPTY = "neither A nor B finds anything"
NO_TRUTH = "there is no true mask"
_TRUTH_EMPTY = "the truth has nothing, and {} nothing either"

FRAME_COLUMNS: dict[str, type] = {
    "case": str,
    "image": str,
    "frame": int,
    "class": str,
    "dice": float,
    "dice_undefined": str,
    "disagreement": float,
    "pixels_a": int,
    "pixels_b": int,
    "only_a": int,
    "only_b": int,
    "area_a": float,
    "area_b": float,
    "area_difference": float,
    "area_unit": str,
    "truth_pixels": int,
    "dice_a": float,
    "dice_b": float,
    "dice_difference": float,
    "iou_a": float,
    "iou_b": float,
    "iou_difference": float,
    "truth_undefined": str,
}
"""The columns of ``comparison.csv``, with the type of a defined value."""

Row = dict[str, Any]
"""One row of a table, by column; None is undefined."""


def compare_masks(
    a: NDArray[np.bool_],
    b: NDArray[np.bool_],
    truth: NDArray[np.bool_] | None = None,
    spacing_mm: tuple[float, float] | None = None,
) -> Row:
    """Return the figures of two masks of one class in one frame: ``FRAME_COLUMNS`` from ``dice`` on.

    ``dice`` is that of A and B (Dice 1945): undefined where both are empty, 0 where one is. ``disagreement`` is the
    share of the frame's pixels that are in one mask alone. All differences are B − A.

    Args:
        a: ``(Y, X)`` bool, the mask of A.
        b: ``(Y, X)`` bool, the mask of B.
        truth: ``(Y, X)`` bool, the true mask; None if it is unknown.
        spacing_mm: of rows and of columns; areas are in pixels if it is unknown.
    """
    if spacing_mm is not None and not all(math.isfinite(length) for length in spacing_mm):
        spacing_mm = None
    pixels_a, pixels_b = int(np.count_nonzero(a)), int(np.count_nonzero(b))
    only_a, only_b = int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))
    dice = overlap(a, b).dice
    area_a, area_b = (_area(pixels, spacing_mm) for pixels in (pixels_a, pixels_b))
    return {
        "dice": dice,
        "dice_undefined": "" if dice is not None else BOTH_EMPTY,
        "disagreement": (only_a + only_b) / a.size,
        "pixels_a": pixels_a,
        "pixels_b": pixels_b,
        "only_a": only_a,
        "only_b": only_b,
        "area_a": area_a,
        "area_b": area_b,
        "area_difference": area_b - area_a,
        "area_unit": PIXELS if spacing_mm is None else SQUARE_MM,
        **_with_truth(a, b, truth),
    }


def _with_truth(a: NDArray[np.bool_], b: NDArray[np.bool_], truth: NDArray[np.bool_] | None) -> Row:
    names = ("truth_pixels", "dice_a", "dice_b", "dice_difference", "iou_a", "iou_b", "iou_difference")
    if truth is None:
        return {**dict.fromkeys(names), "truth_undefined": NO_TRUTH}
    of_a, of_b = overlap(a, truth), overlap(b, truth)
    empty = [letter for letter, found in (("A", of_a), ("B", of_b)) if found.dice is None]
    finds = f"{' and '.join(empty)} {'find' if len(empty) == 2 else 'finds'}"
    return {
        "truth_pixels": int(np.count_nonzero(truth)),
        "dice_a": of_a.dice,
        "dice_b": of_b.dice,
        "dice_difference": _difference(of_a.dice, of_b.dice),
        "iou_a": of_a.iou,
        "iou_b": of_b.iou,
        "iou_difference": _difference(of_a.iou, of_b.iou),
        "truth_undefined": _TRUTH_EMPTY.format(finds) if empty else "",
    }


def _area(pixels: int, spacing_mm: tuple[float, float] | None) -> float:
    area = area_mm2(pixels, spacing_mm)
    return float(pixels) if area is None else area


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a
