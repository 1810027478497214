"""The summary of a comparison: for each class the means over cases with their intervals, and the counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from napari_segcam.comparing.mask_comparison import Row
from napari_segcam.statistics.interval import RESAMPLES, Interval, bootstrap_interval


@dataclass(frozen=True)
class ClassSummary:
    """What a comparison says of one class. All differences are B − A, all intervals are over cases.

    Attributes:
        name: of the class.
        cases: number of cases.
        frames: number of frames.
        both_empty: frames in which neither finds anything: their Dice is undefined.
        only_a: frames in which A alone finds something: their Dice is 0.
        only_b: frames in which B alone finds something.
        identical: frames in which both masks are equal, empty ones included.
        dice: of A and B.
        areas: of the area difference, by unit.
        truth_cases: number of cases with a Dice of both against the truth.
        truth_frames: number of frames with a true mask.
        truth_undefined: frames with a true mask that has nothing, and A or B nothing either: no difference.
        empty_truth: frames whose true mask has nothing.
        false_a: of these, frames in which A finds something.
        false_b: of these, frames in which B finds something.
        dice_a: of A against the truth, in the cases with both; None without.
        dice_b: of B.
        dice_difference: against the truth.
        iou_difference: against the truth.
        better_a: cases in which the Dice of A is higher.
        better_b: cases in which the Dice of B is higher.
    """

    name: str
    cases: int
    frames: int
    both_empty: int
    only_a: int
    only_b: int
    identical: int
    dice: Interval
    areas: dict[str, Interval]
    truth_cases: int
    truth_frames: int
    truth_undefined: int
    empty_truth: int
    false_a: int
    false_b: int
    dice_a: float | None
    dice_b: float | None
    dice_difference: Interval
    iou_difference: Interval
    better_a: int
    better_b: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self, dict_factory=_with_means)


def summaries(
    rows: Sequence[Row], cases: Sequence[Row], seed: int = 0, resamples: int = RESAMPLES
) -> list[ClassSummary]:
    """Return the summary of each class.

    Args:
        rows: of all frames.
        cases: of all cases, from ``case_rows``.
        seed: of the bootstrap.
        resamples: of the bootstrap.
    """
    names = dict.fromkeys(row["class"] for row in rows)
    return [
        _summary(
            name,
            [row for row in rows if row["class"] == name],
            [row for row in cases if row["class"] == name],
            seed,
            resamples,
        )
        for name in names
    ]


def _summary(name: str, rows: Sequence[Row], cases: Sequence[Row], seed: int, resamples: int) -> ClassSummary:
    def interval(column: str, chosen: Sequence[Row] = cases) -> Interval:
        return bootstrap_interval([row[column] for row in chosen if row[column] is not None], "mean", seed, resamples)

    units = [unit for unit in dict.fromkeys(row["area_unit"] for row in cases) if unit]
    with_truth = [row for row in rows if row["truth_pixels"] is not None]
    empty_truth = [row for row in with_truth if not row["truth_pixels"]]
    compared = [row for row in cases if row["dice_difference"] is not None]
    return ClassSummary(
        name,
        len(cases),
        len(rows),
        sum(not row["pixels_a"] and not row["pixels_b"] for row in rows),
        sum(bool(row["pixels_a"]) and not row["pixels_b"] for row in rows),
        sum(bool(row["pixels_b"]) and not row["pixels_a"] for row in rows),
        sum(not row["only_a"] and not row["only_b"] for row in rows),
        interval("dice"),
        {unit: interval("area_difference", [row for row in cases if row["area_unit"] == unit]) for unit in units},
        len(compared),
        len(with_truth),
        sum(row["dice_difference"] is None for row in with_truth),
        len(empty_truth),
        sum(bool(row["pixels_a"]) for row in empty_truth),
        sum(bool(row["pixels_b"]) for row in empty_truth),
        _mean([row["dice_a"] for row in compared]),
        _mean([row["dice_b"] for row in compared]),
        interval("dice_difference"),
        interval("iou_difference"),
        sum(row["dice_difference"] < 0 for row in compared),
        sum(row["dice_difference"] > 0 for row in compared),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _with_means(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of a summary or an interval; the value of each interval here is a mean."""
    return {"mean" if name == "value" else name: value for name, value in fields}
