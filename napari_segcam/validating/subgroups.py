"""Subgroups: every metric in each group of cases, with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from napari_segcam.reporting.run_format import Row
from napari_segcam.statistics.interval import FEW_CASES
from napari_segcam.validating.attributes import Grouping
from napari_segcam.validating.figures import Frame, figures_of, reasons_text, scale_of
from napari_segcam.validating.metrics import Metric
from napari_segcam.validating.rows import Rows
from napari_segcam.validating.summaries import Summary, summary_of

RESAMPLES = 2_000
"""Of the interval of a subgroup: there are many of them."""

SUBGROUP_COLUMNS: dict[str, type] = {
    "attribute": str,
    "subgroup": str,
    "class": str,
    "metric": str,
    "unit": str,
    "statistic": str,
    "value": float,
    "low": float,
    "high": float,
    "cases": int,
    "undefined": int,
    "undefined_why": str,
    "small": bool,
    "worst": bool,
}
"""The columns of ``validation_subgroups.csv``, with the type of a defined value."""


@dataclass(frozen=True)
class Subgroup:
    """One metric of one class in one group of cases.

    Attributes:
        attribute: by which the cases are grouped.
        group: its name.
        summary: the metric over its cases.
    """

    attribute: str
    group: str
    summary: Summary

    @property
    def name(self) -> str:
        """Attribute and group: ``"probe: linear"``."""
        return f"{self.attribute}: {self.group}"

    @property
    def is_small(self) -> bool:
        """Whether it has too few cases with a figure to say much."""
        return self.summary.cases < FEW_CASES


def subgroups_of(
    metrics: Sequence[Metric],
    frames: Mapping[str, Sequence[Frame]],
    groupings: Iterable[Grouping],
    seed: int = 0,
) -> list[Subgroup]:
    """Return each metric of each class in each group of each attribute.

    A case whose images are in several groups is in each of them, with the frames of these images.

    Args:
        metrics: to be taken.
        frames: by class.
        groupings: the attributes.
        seed: of the intervals.
    """
    scales = {(metric, name): scale_of(metric, each) for name, each in frames.items() for metric in metrics}
    found = []
    for grouping in groupings:
        for name, each in frames.items():
            members: dict[str, list[Frame]] = {group: [] for group in grouping.groups}
            for frame in each:
                members[grouping.group_of[frame.image, name]].append(frame)
            for group, some in members.items():
                for metric in metrics if some else ():
                    figures = figures_of(metric, some, scales[metric, name])
                    summary = summary_of(metric, name, figures, seed, resamples=RESAMPLES)
                    found.append(Subgroup(grouping.attribute, group, summary))
    return found


def worst_of(subgroups: Iterable[Subgroup], metric: str, class_name: str) -> Subgroup | None:
    """Return the subgroup with the worst figure of those that are not small.

    None if no value of the metric is worse than another, or all subgroups have the same.

    Args:
        subgroups: of all attributes.
        metric: name of the metric.
        class_name: name of the class.
    """
    judged = [
        (badness, one)
        for one in subgroups
        if one.summary.metric.name == metric
        and one.summary.class_name == class_name
        and not one.is_small
        and (badness := one.summary.badness) is not None
    ]
    if len({badness for badness, _ in judged}) < 2:
        return None
    return max(judged, key=lambda each: each[0])[1]


def subgroup_rows(subgroups: Sequence[Subgroup]) -> Rows:
    """Return one row for each subgroup, class and metric, with the columns of ``SUBGROUP_COLUMNS``."""
    keys = dict.fromkeys((one.summary.metric.name, one.summary.class_name) for one in subgroups)
    worst = {id(worst_of(subgroups, *key)) for key in keys}
    return Rows(SUBGROUP_COLUMNS, (_row(one, id(one) in worst) for one in subgroups))


def _row(one: Subgroup, is_worst: bool) -> Row:
    summary, interval = one.summary, one.summary.interval
    return {
        "attribute": one.attribute,
        "subgroup": one.group,
        "class": summary.class_name,
        "metric": summary.metric.name,
        "unit": summary.unit,
        "statistic": summary.statistic,
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "cases": interval.cases,
        "undefined": sum(summary.undefined.values()),
        "undefined_why": reasons_text(summary.undefined),
        "small": one.is_small,
        "worst": is_worst,
    }
