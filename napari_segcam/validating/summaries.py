"""Summaries: a metric over the cases, with its interval, its quartiles and what is undefined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_segcam.number_format import counted
from napari_segcam.reporting.run_format import Row
from napari_segcam.statistics.interval import RESAMPLES, Interval, StatisticName, bootstrap_interval
from napari_segcam.statistics.sample_size import cases_for
from napari_segcam.validating.figures import Figure, reasons_text, undefined
from napari_segcam.validating.metrics import Metric
from napari_segcam.validating.rows import Rows

METRIC_COLUMNS: dict[str, type] = {
    "class": str,
    "metric": str,
    "unit": str,
    "statistic": str,
    "value": float,
    "low": float,
    "high": float,
    "interval": str,
    "cases": int,
    "undefined": int,
    "undefined_why": str,
    "mean": float,
    "median": float,
    "lower_quartile": float,
    "upper_quartile": float,
    "half_width": float,
    "cases_for_half": int,
}
"""The columns of ``validation_metrics.csv``, with the type of a defined value."""

CASE_COLUMNS: dict[str, type] = {
    "case": str,
    "class": str,
    "metric": str,
    "value": float,
    "unit": str,
    "count": int,
    "of": int,
    "images": int,
    "frames": int,
    "undefined": str,
}
"""The columns of ``validation_cases.csv``, with the type of a defined value."""


@dataclass(frozen=True)
class Summary:
    """One metric of one class over cases.

    Attributes:
        metric: the metric.
        class_name: the class.
        statistic: over the cases.
        interval: of the statistic.
        undefined: how many cases have no figure, by the reason.
        values: of the cases that have one.
        unit: of the values.
    """

    metric: Metric
    class_name: str
    statistic: StatisticName
    interval: Interval
    undefined: Mapping[str, int]
    values: Sequence[float]
    unit: str

    @property
    def cases(self) -> int:
        """Number of cases with a figure."""
        return self.interval.cases

    @property
    def badness(self) -> float | None:
        """A number that is larger for worse values; None if there is no value, or none is worse than another."""
        return None if self.interval.value is None else self.metric.badness(self.interval.value)


def summary_of(
    metric: Metric,
    class_name: str,
    figures: Sequence[Figure],
    seed: int = 0,
    statistic: StatisticName | None = None,
    resamples: int = RESAMPLES,
) -> Summary:
    """Return a metric over the cases.

    Args:
        metric: of the figures.
        class_name: of the figures.
        figures: one for each case.
        seed: of the bootstrap.
        statistic: over the cases; by default the median, and of a share the share. ``"mean"`` of a share is the mean of
            the cases' own shares, in which every case counts the same.
        resamples: of the bootstrap.
    """
    statistic = statistic or metric.statistic
    defined = [figure for figure in figures if figure.value is not None]
    values = [figure.value for figure in defined if figure.value is not None]
    drawn = [figure.counts for figure in defined if figure.counts] if statistic == "share" else values
    return Summary(
        metric,
        class_name,
        statistic,
        bootstrap_interval(drawn, statistic, seed, resamples),
        undefined(figures),
        values,
        next((figure.unit for figure in figures), metric.unit),
    )


def metric_rows(summaries: Iterable[Summary]) -> Rows:
    """Return one row for each metric and class, with the columns of ``METRIC_COLUMNS``."""
    return Rows(METRIC_COLUMNS, map(_metric_row, summaries))


def case_rows(figures: Mapping[tuple[str, str], Sequence[Figure]]) -> Rows:
    """Return one row for each case, class and metric, with the columns of ``CASE_COLUMNS``.

    Args:
        figures: by the name of their metric and by class.
    """
    return Rows(CASE_COLUMNS, (_case_row(name, figure) for (name, _), each in figures.items() for figure in each))


def sample_size_text(summary: Summary) -> str:
    """Return how wide the interval is and how many cases half of it would take; empty if nobody can say."""
    wanted = _half(summary.interval)
    needed = None if wanted is None else cases_for(summary.interval, wanted)
    if wanted is None or needed is None:
        return ""
    unit = f" {summary.unit}" if summary.unit else ""
    return f"The interval is ± {2 * wanted:.2g}{unit}; ± {wanted:.2g}{unit} would take about {counted(needed, 'case')}."


def _half(interval: Interval) -> float | None:
    return interval.half_width / 2 if interval.half_width else None


def _metric_row(summary: Summary) -> Row:
    interval, wanted = summary.interval, _half(summary.interval)
    low, middle, high = np.percentile(summary.values, (25, 50, 75)) if summary.values else (None, None, None)
    return {
        "class": summary.class_name,
        "metric": summary.metric.name,
        "unit": summary.unit,
        "statistic": summary.statistic,
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "interval": interval.method or interval.undefined,
        "cases": interval.cases,
        "undefined": sum(summary.undefined.values()),
        "undefined_why": reasons_text(summary.undefined),
        "mean": float(np.mean(summary.values)) if summary.values else None,
        "median": None if middle is None else float(middle),
        "lower_quartile": None if low is None else float(low),
        "upper_quartile": None if high is None else float(high),
        "half_width": interval.half_width,
        "cases_for_half": None if wanted is None else cases_for(interval, wanted),
    }


def _case_row(metric: str, figure: Figure) -> Row:
    count, of = figure.counts or (None, None)
    return {
        "case": figure.case,
        "class": figure.class_name,
        "metric": metric,
        "value": figure.value,
        "unit": figure.unit,
        "count": None if count is None else round(count),
        "of": None if of is None else round(of),
        "images": figure.images,
        "frames": figure.frames,
        "undefined": figure.reason,
    }
