"""A validation in plain words: what is worst, what is missing, and what was assumed."""

from __future__ import annotations

from collections.abc import Iterator

from napari_segcam.number_format import UNDEFINED, counted, percent, score, significant
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.statistics.interval import FEW_CASES, Interval
from napari_segcam.validating.criteria.checking import FAIL, NOT_ENOUGH
from napari_segcam.validating.figures import reasons_text
from napari_segcam.validating.metrics import HEADLINES, Metric
from napari_segcam.validating.pages.names import Names, listed
from napari_segcam.validating.subgroups import worst_of
from napari_segcam.validating.summaries import Summary
from napari_segcam.validating.validate import Validation

_MEANING = {
    "dice": "Half of the cases overlap the true mask more than that, half less; 1 is a perfect match.",
    "surface_dice": "Half of the cases have more of their outline in the right place than that, half less; 1 is all.",
    "hd95": "Half of the cases have an outline that is farther off than that, half one that is nearer.",
    "missed": "That is the share of the true findings that were not found.",
    "missed_frames": "That is the share of the frames with a finding in which nothing was found.",
}
Point = tuple[str, str]
"""A heading and a sentence or two."""


def first_points(validation: Validation, run: FinishedRun, names: Names) -> list[Point]:
    """Return what must be known first: failed criteria, the worst subgroups, what is missing or doubtful."""
    return [
        *_criteria(validation),
        *_main_figures(validation),
        *_worst_subgroups(validation),
        *_missing(validation, run, names),
        *_duplicates(validation, names),
        *_shortcuts(validation, names),
        *_assumption(validation),
    ]


def figure_text(metric: Metric, value: float | None, unit: str = "") -> str:
    """Return a figure as text, with its unit: a share as a percentage, a score with three decimals."""
    if value is None:
        return UNDEFINED
    if metric.is_share:
        return percent(value).replace("%", " %")
    text = significant(value) if metric.unit or metric.unit_column else score(value)
    return f"{text} {unit}" if unit else text


def interval_text(metric: Metric, interval: Interval, unit: str = "") -> str:
    """Return an interval as text: ``"0.520 to 0.701"``."""
    if interval.low is None or interval.high is None:
        return UNDEFINED
    return f"{figure_text(metric, interval.low)} to {figure_text(metric, interval.high, unit)}"


def summary_text(summary: Summary) -> str:
    """Return a figure with its interval and its number of cases."""
    interval, metric = summary.interval, summary.metric
    statistic = "" if summary.statistic == "share" else f"{summary.statistic} "
    ends = f"95 % interval {interval_text(metric, interval, summary.unit)}, " if interval.low is not None else ""
    return f"{statistic}{figure_text(metric, interval.value, summary.unit)} ({ends}{counted(interval.cases, 'case')})"


def headline_of(validation: Validation, class_name: str) -> Summary | None:
    """Return the most telling metric of a class that some case has; None if there is none."""
    found = {one.metric.name: one for one in validation.summaries if one.class_name == class_name and one.cases}
    return next((found[name] for name in HEADLINES if name in found), None)


def classes_of(validation: Validation) -> list[str]:
    """Return the classes of a validation in their order."""
    return list(dict.fromkeys(summary.class_name for summary in validation.summaries))


def _of_class(validation: Validation, class_name: str) -> str:
    return f"{class_name}: " if len(classes_of(validation)) > 1 else ""


def _criteria(validation: Validation) -> Iterator[Point]:
    rows = validation.criteria
    if not rows:
        return
    failed = [f"{row['criterion']} ({row['class']})" for row in rows if row["outcome"] == FAIL]
    unclear = [f"{row['criterion']} ({row['class']})" for row in rows if row["outcome"] == NOT_ENOUGH]
    if failed:
        yield "Criteria that fail", f"{len(failed)} of {len(rows)}: {listed(failed)}."
    if unclear:
        yield "Criteria without enough cases", f"{len(unclear)} of {len(rows)}: {listed(unclear)}."
    if not failed and not unclear:
        yield "Criteria", f"All {len(rows)} pass."


def _main_figures(validation: Validation) -> Iterator[Point]:
    for name in classes_of(validation):
        summary = headline_of(validation, name)
        if summary is None:
            continue
        text = f"{_of_class(validation, name)}{summary.metric.title}: {summary_text(summary)}."
        if meaning := _MEANING.get(summary.metric.name):
            text += f" {meaning}"
        if summary.interval.low is not None:
            text += " Over all cases like these, the figure is probably within the interval."
        if summary.undefined:
            text += f" Undefined in {counted(sum(summary.undefined.values()), 'case')}: {_why(summary)}."
        if summary.cases < FEW_CASES:
            text += f" Fewer than {FEW_CASES} cases say little."
        yield "Over all cases", text


def _why(summary: Summary) -> str:
    only = next(iter(summary.undefined))
    return only if len(summary.undefined) == 1 else reasons_text(summary.undefined)


def _worst_subgroups(validation: Validation) -> Iterator[Point]:
    for name in classes_of(validation):
        whole = headline_of(validation, name)
        worst = worst_of(validation.groups, whole.metric.name, name) if whole else None
        if whole is None or worst is None:
            continue
        yield (
            "Worst subgroup",
            f"{_of_class(validation, name)}{worst.name}. {whole.metric.title}: {summary_text(worst.summary)}; over all "
            f"cases {figure_text(whole.metric, whole.interval.value, whole.unit)}. "
            f"{chance_text(validation, name)}",
        )


def chance_text(validation: Validation, class_name: str) -> str:
    """Return how many subgroups there are, and what that means."""
    count = len({one.name for one in validation.groups if one.summary.class_name == class_name})
    return f"With {count} subgroups, one of them looks bad by chance."


def _missing(validation: Validation, run: FinishedRun, names: Names) -> Iterator[Point]:
    assigned = validation.assigned
    if assigned.missing:
        yield "Missing cases", f"{names.others(assigned.missing, 'case')} of the list: the run has no image."
    if assigned.without_image:
        yield "Missing images", f"{names.others(assigned.without_image, 'image')} of the list: not in the run."
    if assigned.without_case:
        images = names.others(assigned.without_case, "image")
        yield "Images without a case", f"{images} {_is(assigned.without_case)} in no case, and in no figure."
    failed = [failure.name for failure in run.failures]
    if failed:
        yield "Failed images", f"{names.others(failed, 'image')} could not be explained: their cases lack these frames."
    if run.missing:
        yield "Unfinished run", f"{counted(run.missing, 'image')} {'is' if run.missing == 1 else 'are'} not there yet."
    if validation.unmatched:
        rows = names.others(validation.unmatched, "name")
        yield "Subgroups", f"{rows} in the list of subgroups {_is(validation.unmatched)} not in the run."


def _is(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"


def _duplicates(validation: Validation, names: Names) -> Iterator[Point]:
    duplicates = validation.assigned.duplicates
    if duplicates:
        groups = [" and ".join(names.case(case) for case in one.cases) for one in duplicates]
        yield (
            "Duplicated patients",
            f"The same image is in {listed(groups)}: probably one patient who is counted more than once.",
        )
    if unchecked := validation.assigned.unchecked:
        count = counted(unchecked, "image")
        yield "Not checked for duplicates", f"{count}: the run has no checksum, and the file is not where it was."


def _shortcuts(validation: Validation, names: Names) -> Iterator[Point]:
    rows = validation.shortcuts
    if not rows:
        return
    measured = len({row["case"] for row in validation.cases if _has_overlay_effect(row)})
    first = rows[0]
    cases = list(dict.fromkeys(row["case"] for row in rows))
    yield (
        "Burned-in shortcut",
        f"In {len(cases)} of {counted(measured, 'case')} the mask hangs on burned-in graphics ({names.cases(cases)}): "
        f"covering them changes it by up to {score(first['overlay_effect'])}, and covering as much elsewhere by "
        f"{score(first['overlay_effect_null'])} (1 − Dice; 0 is no change). By chance, one of twenty cases is "
        "among them (p ≤ 0.05).",
    )


def _has_overlay_effect(row: dict[str, object]) -> bool:
    return row["metric"] == "overlay_effect" and row["value"] is not None


def _assumption(validation: Validation) -> Iterator[Point]:
    assigned = validation.assigned
    heading = "Assumption on cases" if assigned.assumed else "Cases"
    text = assigned.how
    if assigned.assumed:
        text += " If a patient has several files, the intervals are too narrow: give a list with --cases."
    yield heading, text
