"""The metrics of a validation: which columns of a run they come from, and which values are good."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from napari_segcam.reporting.evidence_summary.shares import number
from napari_segcam.reporting.run_format import REASON_COLUMNS, Row
from napari_segcam.statistics.interval import StatisticName

_AGAINST_TRUTH = ("overlap_undefined", "rates_undefined", "surface_undefined", "metrics_undefined")

Counts = Callable[[Row], tuple[float, float] | None]


@dataclass(frozen=True)
class Metric:
    """A figure of a case.

    Attributes:
        name: of the metric: that of its column, or that of a share.
        title: in words.
        columns: that it needs.
        better: which values are good: high or low ones, those near zero, or none in particular.
        unit: the unit of all its values; empty without one.
        unit_column: instead, the column that names the unit of a value.
        tolerance_column: of a share within a tolerance, the column that names the unit of the tolerance.
        counts: of a share: how many, and of how many, in one frame; None if the frame says nothing.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    better: Literal["high", "low", "zero", ""]
    unit: str = ""
    unit_column: str = ""
    tolerance_column: str = ""
    counts: Counts | None = None

    @property
    def reason_column(self) -> str:
        """The column that says why a value is undefined; empty for one of the evidence."""
        return REASON_COLUMNS.get(self.columns[0], "")

    @property
    def scale_column(self) -> str:
        """The column that must be the same in values that are compared; empty if all can be."""
        return self.unit_column or self.tolerance_column

    @property
    def is_share(self) -> bool:
        """Whether it is a share of counts, which are summed over the frames of a case."""
        return self.counts is not None

    @property
    def needs_truth(self) -> bool:
        """Whether it compares a mask with a true one."""
        return self.is_share or self.reason_column in _AGAINST_TRUTH

    @property
    def statistic(self) -> StatisticName:
        """The statistic over cases that is shown: the share, or the median."""
        return "share" if self.is_share else "median"

    @property
    def statistics(self) -> tuple[StatisticName, ...]:
        """The statistics over cases that it can have."""
        return ("share", "mean", "median") if self.is_share else ("median", "mean")

    def badness(self, value: float) -> float | None:
        """Return a number that is larger for worse values; None if no value is worse than another."""
        return {"high": -value, "low": value, "zero": abs(value), "": None}[self.better]


def _of_findings(count: str, *parts: str) -> Counts:
    """Return the count of some findings and that of all of which they are a part."""

    def counts(row: Row) -> tuple[float, float] | None:
        of = [number(row, part) for part in parts]
        some = number(row, count)
        if some is None or any(each is None for each in of):
            return None
        return some, sum(each for each in of if each is not None)

    return counts


def _missed_frame(row: Row) -> tuple[float, float] | None:
    truth, found = number(row, "truth_pixels"), number(row, "pixels")
    return None if truth is None or found is None else (float(truth > 0 and not found), float(truth > 0))


def _false_frame(row: Row) -> tuple[float, float] | None:
    truth, found = number(row, "truth_pixels"), number(row, "pixels")
    return None if truth is None or found is None else (float(not truth and found > 0), float(not truth))


def _column(
    name: str,
    title: str,
    better: Literal["high", "low", "zero", ""],
    unit: str = "",
    unit_column: str = "",
    tolerance_column: str = "",
) -> Metric:
    return Metric(name, title, (name,), better, unit, unit_column, tolerance_column)


_FINDINGS = ("findings_true", "findings_found", "findings_missed", "findings_false")
_PRESENCE = ("truth_pixels", "pixels")

METRICS: tuple[Metric, ...] = (
    _column("dice", "Dice", "high"),
    _column("iou", "IoU", "high"),
    _column("sensitivity", "Sensitivity", "high"),
    _column("precision", "Precision", "high"),
    _column("specificity", "Specificity", "high"),
    _column("surface_dice", "Surface Dice", "high", tolerance_column="surface_unit"),
    _column("hd95", "95 % Hausdorff distance", "low", unit_column="surface_unit"),
    _column("mean_surface_distance", "Mean surface distance", "low", unit_column="surface_unit"),
    _column("area_difference", "Area difference, relative", "zero"),
    _column("area_difference_mm2", "Area difference", "zero", "mm²"),
    Metric(
        "found",
        "Findings found",
        _FINDINGS[:2],
        "high",
        counts=_of_findings("findings_found", "findings_true"),
    ),
    Metric(
        "missed",
        "Findings missed",
        (_FINDINGS[0], _FINDINGS[2]),
        "low",
        counts=_of_findings("findings_missed", "findings_true"),
    ),
    Metric(
        "false",
        "Findings that are false",
        (_FINDINGS[1], _FINDINGS[3]),
        "low",
        counts=_of_findings("findings_false", "findings_found", "findings_false"),
    ),
    Metric("missed_frames", "Frames missed", _PRESENCE, "low", counts=_missed_frame),
    Metric("false_frames", "Frames with a false mask", _PRESENCE, "low", counts=_false_frame),
    _column("boundary_probability", "Probability at the boundary", ""),
    _column("calibration_error", "Calibration error", "low"),
    _column("probability", "Mean probability", ""),
    _column("disagreement", "Disagreement of an ensemble", "low"),
    _column("overlay_effect", "Effect of burned-in graphics", "low"),
    _column("agreement", "Agreement of slightly different views", "high"),
    _column("doubt", "Doubt", "low"),
)
"""All metrics, in the order of the tables."""

BY_NAME = {metric.name: metric for metric in METRICS}

HEADLINES = ("dice", "surface_dice", "hd95", "missed", "missed_frames", "overlay_effect")
"""The metrics that are plotted by subgroup, the most telling first."""


def metrics_of(rows: Iterable[Row]) -> list[Metric]:
    """Return the metrics that a run has: those whose columns it has, with a value or with a truth to compare with."""
    present: set[str] = set()
    defined: set[str] = set()
    for row in rows:
        present |= row.keys()
        defined |= {name for name, value in row.items() if value is not None}
    has_truth = "truth_pixels" in defined
    return [
        metric
        for metric in METRICS
        if present.issuperset(metric.columns)
        and (has_truth if metric.needs_truth else not defined.isdisjoint(metric.columns))
    ]
