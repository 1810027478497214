"""What a validation adds to the report of its run: points for the first page, and a section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from napari_segcam.comparing.words import signed
from napari_segcam.number_format import UNDEFINED, score
from napari_segcam.reporting.report.document import (
    Addition,
    Block,
    Bullets,
    Paragraph,
    Plot,
    Section,
    Subheading,
    Table,
)
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.reporting.run_format import Row
from napari_segcam.statistics.interval import FEW_CASES
from napari_segcam.validating.metrics import BY_NAME, HEADLINES
from napari_segcam.validating.pages.names import Names
from napari_segcam.validating.pages.plots import plot_subgroups
from napari_segcam.validating.pages.words import (
    chance_text,
    classes_of,
    figure_text,
    first_points,
    headline_of,
    interval_text,
)
from napari_segcam.validating.subgroups import Subgroup
from napari_segcam.validating.summaries import Summary, sample_size_text
from napari_segcam.validating.validate import Validation

ANCHOR = "validation"
_TEXT_COLUMNS = frozenset(
    {"metric", "statistic", "criterion", "class", "subgroup", "outcome", "why", "attribute", "what", "image or case"}
) | {"figure", "method"}
_DIFFERENCE = ("difference", "95 % interval", "cases", "better / worse")
_READING = (
    "Every figure is over cases, never over frames. A case is the median over its frames that have the figure, so that "
    "a cine counts as much as a still; counts are summed over them. Intervals are 95 % bootstrap intervals, for which "
    "whole cases are drawn. Undefined figures are counted, and are in no median: read their number first."
)
Plots = dict[str, Plot]
"""Plots by their file name, without suffix."""


def addition_of(validation: Validation, run: FinishedRun, anonymous: bool = False) -> tuple[Addition, Plots]:
    """Return what a validation adds to the report of its run, and its plots.

    Args:
        validation: of the run.
        run: that the report is of.
        anonymous: whether numbers replace the names of cases and images.
    """
    names = Names(validation.assigned, anonymous)
    front: list[Block] = [Subheading("What to know first"), Bullets(tuple(first_points(validation, run, names)))]
    plots: Plots = {}
    blocks: list[Block] = [Paragraph(f"{_READING} {validation.assigned.how}")]
    if validation.criteria:
        blocks.append(_criteria_table(validation.criteria))
    several = len(classes_of(validation)) > 1
    for number, name in enumerate(classes_of(validation), 1):
        if several:
            blocks.append(Subheading(name))
        of_class = [one for one in validation.summaries if one.class_name == name]
        blocks += [*_metric_blocks(of_class), *_tolerance_note(of_class, run)]
        blocks += _subgroup_blocks(validation, name, plots, f"_{number}" if several else "")
    if validation.differences:
        blocks.append(_difference_table(validation.differences))
    if validation.methods:
        blocks.append(_method_table(validation.methods))
    blocks += _problem_table(validation, names)
    return Addition(front, [Section(ANCHOR, "Validation over cases", blocks)]), plots


def _criteria_table(rows: Sequence[Row]) -> Table:
    cells = tuple(
        (
            str(row["criterion"]),
            str(row["class"]),
            figure_text(BY_NAME[row["metric"]], row["measured"], row["unit"]),
            str(row["subgroup"] or "all cases"),
            str(row["cases"]),
            str(row["outcome"]),
            str(row["why"] or UNDEFINED),
        )
        for row in rows
    )
    columns = ("criterion", "class", "measured", "subgroup", "cases", "outcome", "why")
    caption = (
        "Criteria. Measured is what is compared with the limit; of several subgroups, in the worst one. Nobody can say "
        "whether a criterion passes whose figure has too few cases."
    )
    return Table(columns, cells, _TEXT_COLUMNS, caption)


def _metric_blocks(summaries: Sequence[Summary]) -> Iterator[Block]:
    yield Table(
        ("metric", "statistic", "value", "95 % interval", "quartiles", "cases", "undefined"),
        tuple(map(_metric_cells, summaries)),
        _TEXT_COLUMNS,
        "Metrics over cases. Shares are counts over counts, and whole cases are drawn for their interval; "
        "the quartiles are those of the cases' own figures.",
    )
    sizes = [
        (summary.metric.title, text)
        for summary in summaries
        if summary.metric.name in HEADLINES and (text := sample_size_text(summary))
    ]
    if sizes:
        yield Paragraph("How many cases narrower intervals would take, estimated from the intervals themselves:")
        yield Bullets(tuple(sizes))
    undefined = tuple(
        (summary.metric.title, reason, str(count))
        for summary in summaries
        for reason, count in summary.undefined.items()
    )
    if undefined:
        yield Table(("metric", "why", "cases"), undefined, _TEXT_COLUMNS, "Cases without a figure, and why.")


def _tolerance_note(summaries: Sequence[Summary], run: FinishedRun) -> Iterator[Block]:
    tolerance = run.part("metrics").get("tolerance")
    unit = next((one.unit for one in summaries if one.unit and one.metric.unit_column), "")
    for one in summaries:
        if one.metric.tolerance_column and one.cases and tolerance is not None:
            yield Paragraph(
                f"{one.metric.title}: the share of both boundaries within {tolerance:g} {unit} of the other one.",
                note=True,
            )


def _metric_cells(summary: Summary) -> tuple[str, ...]:
    metric, unit = summary.metric, summary.unit
    quartiles = UNDEFINED
    if summary.values:
        low, high = np.percentile(summary.values, (25, 75))
        quartiles = f"{figure_text(metric, float(low))} to {figure_text(metric, float(high), unit)}"
    return (
        metric.title,
        summary.statistic,
        figure_text(metric, summary.interval.value, unit),
        interval_text(metric, summary.interval, unit),
        quartiles,
        str(summary.cases),
        str(sum(summary.undefined.values())),
    )


def _difference_table(rows: Sequence[Row]) -> Table:
    cells = tuple(
        (
            str(row["class"]),
            BY_NAME[row["metric"]].title,
            figure_text(BY_NAME[row["metric"]], row["this"], row["unit"]),
            figure_text(BY_NAME[row["metric"]], row["other"], row["unit"]),
            *_difference_cells(row),
        )
        for row in rows
    )
    return Table(
        ("class", "metric", "this run", "other run", *_DIFFERENCE),
        cells,
        _TEXT_COLUMNS,
        "This run minus the other one, paired by case: means over the cases that have the figure in both, from the "
        "same frames. An interval that includes 0 does not tell which run is better.",
    )


def _method_table(rows: Sequence[Row]) -> Table:
    cells = tuple(
        (
            *(str(row[name]) for name in ("class", "figure", "method")),
            *(score(row[name]) for name in ("this", "other")),
            *_difference_cells(row),
        )
        for row in rows
    )
    first = rows[0]["other_method"]
    return Table(
        ("class", "figure", "method", "this", first, *_DIFFERENCE),
        cells,
        _TEXT_COLUMNS,
        f"Each method minus {first}, paired by case: means over the cases that have the figure with both, each at the "
        "stage to show first. An interval that includes 0 does not tell which method is better. With many methods and "
        "figures, one looks better by chance.",
    )


def _difference_cells(row: Row) -> tuple[str, ...]:
    """Return the columns of ``_DIFFERENCE``."""
    return (
        signed(row["difference"]),
        UNDEFINED if row["low"] is None else f"{signed(row['low'])} to {signed(row['high'])}",
        str(row["cases"]),
        UNDEFINED if row["better"] is None else f"{row['better']} / {row['worse']}",
    )


def _subgroup_blocks(validation: Validation, class_name: str, plots: Plots, ending: str) -> Iterator[Block]:
    groups = [one for one in validation.groups if one.summary.class_name == class_name]
    if not groups or headline_of(validation, class_name) is None:
        return
    cuts = [f"{one.attribute}: {one.how}" for one in validation.groupings if one.how]
    note = f" Numbers are groups: {'; '.join(cuts)}." if cuts else ""
    yield Paragraph(
        f"Subgroups. {chance_text(validation, class_name)} No test of significance is made. Groups with fewer than "
        f"{FEW_CASES} cases are gray, and are never called the worst.{note}"
    )
    shown = [one for one in validation.summaries if one.class_name == class_name and one.metric.name in HEADLINES]
    for whole in shown:
        of_metric = [one for one in groups if one.summary.metric is whole.metric]
        if whole.cases and any(one.summary.cases for one in of_metric):
            caption = (
                f"{whole.metric.title} of {class_name}, {whole.statistic} over cases with its 95 % interval. In "
                "brackets: cases with this figure. The line and the band are all cases."
            )
            plot = plot_subgroups(whole, of_metric, caption)
            plots[f"validation_{whole.metric.name}{ending}"] = plot
            yield plot
    worst = {(row["attribute"], row["subgroup"], row["metric"]) for row in validation.subgroups if row["worst"]}
    rows = tuple(_subgroup_cells(one, worst) for whole in shown for one in groups if one.summary.metric is whole.metric)
    yield Table(
        ("metric", "attribute", "subgroup", "value", "95 % interval", "cases", "undefined", "what"),
        rows,
        _TEXT_COLUMNS,
        "Subgroups, for the main metrics; validation_subgroups.csv has all of them.",
        sortable=True,
    )


def _subgroup_cells(one: Subgroup, worst: set[tuple[str, str, str]]) -> tuple[str, ...]:
    summary = one.summary
    metric, unit = summary.metric, summary.unit
    is_worst = (one.attribute, one.group, metric.name) in worst
    return (
        metric.title,
        one.attribute,
        one.group,
        figure_text(metric, summary.interval.value, unit),
        interval_text(metric, summary.interval, unit),
        str(summary.cases),
        str(sum(summary.undefined.values())),
        "worst" if is_worst else "few cases" if one.is_small else "",
    )


def _problem_table(validation: Validation, names: Names) -> Iterator[Block]:
    """Yield every missing case, duplicate and shortcut by name, which the first page only counts."""
    if names.anonymous:
        return
    assigned = validation.assigned
    rows = [
        *(("case of the list without an image in the run", name) for name in assigned.missing),
        *(("image of the list that the run does not have", name) for name in assigned.without_image),
        *(("image of the run without a case", name) for name in assigned.without_case),
        *(("same image in several cases", ", ".join(one.images)) for one in assigned.duplicates),
        *(("mask hangs on burned-in graphics", str(row["case"])) for row in validation.shortcuts),
        *(("name in the list of subgroups that the run does not have", name) for name in validation.unmatched),
    ]
    if rows:
        caption = "What does not fit, by name."
        yield Table(("what", "image or case"), tuple(rows), _TEXT_COLUMNS, caption)
