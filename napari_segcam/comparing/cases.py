"""Cases: the rows of the frames of a case as one row, so that a long cine counts as much as a still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import fmean, median
from typing import Any

from napari_segcam.comparing.mask_comparison import Row

CASE_COLUMNS: dict[str, type] = {
    "case": str,
    "class": str,
    "images": int,
    "frames": int,
    "frames_found": int,
    "frames_one_empty": int,
    "dice": float,
    "dice_median": float,
    "dice_lowest": float,
    "lowest_image": str,
    "lowest_frame": int,
    "disagreement": float,
    "area_a": float,
    "area_b": float,
    "area_difference": float,
    "area_difference_median": float,
    "area_unit": str,
    "frames_with_truth": int,
    "dice_a": float,
    "dice_b": float,
    "dice_difference": float,
    "dice_difference_median": float,
    "iou_a": float,
    "iou_b": float,
    "iou_difference": float,
    "undefined": str,
}
"""The columns of ``cases.csv``, with the type of a defined value."""

RULE = (
    "Each figure of a case is the mean over its frames in which it is defined; columns ending in _median are the "
    "median over the same frames. Figures against the truth use the frames in which both A and B have them, so that "
    "dice_difference is dice_b − dice_a."
)
_SEVERAL_UNITS = "its images have different units of area"


def case_rows(rows: Sequence[Row]) -> list[Row]:
    """Return one row for each case and class, in the order of the cases, from the rows of all frames."""
    return [_case_row(case, class_name, group) for case, class_name, group in by_case(rows)]


def by_case(rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Row]]]:
    """Give each case and class with the rows of its frames, in the order in which they come first."""
    order: dict[Any, int] = {}
    for row in rows:
        order.setdefault((row["case"], row["class"]), len(order))

    def place(row: Row) -> int:
        return order[row["case"], row["class"]]

    for _, group in groupby(sorted(rows, key=place), place):
        frames = list(group)
        yield frames[0]["case"], frames[0]["class"], frames


def _case_row(case: str, class_name: str, frames: Sequence[Row]) -> Row:
    found = [row for row in frames if row["dice"] is not None]
    lowest = min(found, key=lambda row: (row["dice"], -row["disagreement"]), default=None)
    units = {row["area_unit"] for row in frames}
    measured = frames if len(units) == 1 else []
    both = [row for row in frames if row["dice_difference"] is not None]
    reasons = [row["dice_undefined"] for row in frames if row["dice"] is None][:1] if not found else []
    if len(units) > 1:
        reasons.append(_SEVERAL_UNITS)
    if not both:
        reasons += list(dict.fromkeys(row["truth_undefined"] for row in frames if row["truth_undefined"]))
    return {
        "case": case,
        "class": class_name,
        "images": len({row["image"] for row in frames}),
        "frames": len(frames),
        "frames_found": len(found),
        "frames_one_empty": sum((row["pixels_a"] == 0) != (row["pixels_b"] == 0) for row in frames),
        "dice": _mean(found, "dice"),
        "dice_median": _median(found, "dice"),
        "dice_lowest": lowest and lowest["dice"],
        "lowest_image": lowest["image"] if lowest else "",
        "lowest_frame": lowest and lowest["frame"],
        "disagreement": _mean(frames, "disagreement"),
        "area_a": _mean(measured, "area_a"),
        "area_b": _mean(measured, "area_b"),
        "area_difference": _mean(measured, "area_difference"),
        "area_difference_median": _median(measured, "area_difference"),
        "area_unit": units.pop() if len(units) == 1 else "",
        "frames_with_truth": len(both),
        "dice_a": _mean(both, "dice_a"),
        "dice_b": _mean(both, "dice_b"),
        "dice_difference": _mean(both, "dice_difference"),
        "dice_difference_median": _median(both, "dice_difference"),
        "iou_a": _mean(both, "iou_a"),
        "iou_b": _mean(both, "iou_b"),
        "iou_difference": _mean(both, "iou_difference"),
        "undefined": "; ".join(reasons),
    }


def _mean(rows: Sequence[Row], column: str) -> float | None:
    return fmean(row[column] for row in rows) if rows else None


def _median(rows: Sequence[Row], column: str) -> float | None:
    return median(row[column] for row in rows) if rows else None
