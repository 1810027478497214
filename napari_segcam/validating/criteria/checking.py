"""Criteria: which figures of a model pass, which fail, and of which nobody can say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from napari_segcam.errors import SegcamError
from napari_segcam.number_format import counted
from napari_segcam.reporting.run_format import Row
from napari_segcam.validating.criteria.criterion import EVERY_SUBGROUP, Criterion
from napari_segcam.validating.figures import reasons_text
from napari_segcam.validating.rows import Rows
from napari_segcam.validating.summaries import Summary

Outcome = Literal["pass", "fail", "not enough cases"]

PASS: Outcome = "pass"
FAIL: Outcome = "fail"
NOT_ENOUGH: Outcome = "not enough cases"

CRITERIA_COLUMNS: dict[str, type] = {
    "criterion": str,
    "class": str,
    "subgroup": str,
    "metric": str,
    "statistic": str,
    "of": str,
    "at_least": float,
    "at_most": float,
    "measured": float,
    "unit": str,
    "cases": int,
    "undefined": int,
    "outcome": str,
    "why": str,
}
"""The columns of the criteria in ``criteria.json``, with the type of a defined value."""

Summarize = Callable[[Criterion, str, str], Sequence[tuple[str, Summary]]]
"""Gives the figures of a criterion for a class and an attribute, each with the name of its group.

Without an attribute, it is the figure of all cases, with an empty name."""


@dataclass(frozen=True)
class _Judged:
    """A figure beside its criterion."""

    group: str
    summary: Summary
    measured: float | None
    outcome: Outcome
    why: str


def check_criteria(
    criteria: Iterable[Criterion],
    classes: Sequence[str],
    attributes: Mapping[str, Sequence[str]],
    summarize: Summarize,
) -> Rows:
    """Return one row for each criterion and class, with the columns of ``CRITERIA_COLUMNS``.

    Args:
        criteria: to be checked.
        classes: of the run.
        attributes: of the subgroups, each with its groups.
        summarize: gives the figures of a criterion.

    Raises:
        SegcamError: if a criterion names a class or an attribute that is not there.
    """
    rows = []
    for criterion in criteria:
        if criterion.class_name and criterion.class_name not in classes:
            raise SegcamError(
                f"{criterion.where}: the run has no class {criterion.class_name}. Allowed: {', '.join(classes)}."
            )
        if criterion.every not in ("", EVERY_SUBGROUP, *attributes):
            allowed = ", ".join([EVERY_SUBGROUP, *attributes])
            raise SegcamError(f"{criterion.where}: every {criterion.every} is not known. Allowed: {allowed}.")
        for name in [criterion.class_name] if criterion.class_name else classes:
            wanted = [criterion.every] if criterion.every != EVERY_SUBGROUP else list(attributes)
            found = [each for attribute in wanted for each in summarize(criterion, name, attribute)]
            rows.append(_row(criterion, name, [_judged(criterion, group, summary) for group, summary in found]))
    return Rows(CRITERIA_COLUMNS, rows)


def overall(outcomes: Iterable[str]) -> Outcome:
    """Return the outcome of all criteria: a failure counts more than too few cases."""
    found = set(outcomes)
    return FAIL if FAIL in found else NOT_ENOUGH if NOT_ENOUGH in found else PASS


def _judged(criterion: Criterion, group: str, summary: Summary) -> _Judged:
    interval = summary.interval
    measured = {"value": interval.value, "lower bound": interval.low, "upper bound": interval.high}[criterion.of]
    why = ""
    if interval.cases < criterion.enough_cases:
        why = f"{counted(interval.cases, 'case')} with a figure, and {criterion.enough_cases} are wanted"
        why += f" ({reasons_text(summary.undefined)})" if summary.undefined else ""
    elif measured is None:
        why = interval.undefined
    elif criterion.unit and criterion.unit != summary.unit:
        why = f"the figure is in {summary.unit or 'no unit'}, and the limit in {criterion.unit}"
    if why or measured is None:
        return _Judged(group, summary, measured, NOT_ENOUGH, why)
    low, high = criterion.at_least, criterion.at_most
    passes = (low is None or measured >= low) and (high is None or measured <= high)
    return _Judged(group, summary, measured, PASS if passes else FAIL, "")


def _row(criterion: Criterion, class_name: str, judged: Sequence[_Judged]) -> Row:
    """Return the row of a criterion: the figure of all cases, or of the subgroup that is worst for it."""
    enough = [one for one in judged if one.outcome != NOT_ENOUGH]
    failed = [one for one in enough if one.outcome == FAIL]
    shown = max(failed or enough or judged, key=lambda one: _excess(criterion, one.measured), default=None)
    outcome = FAIL if failed else PASS if enough else NOT_ENOUGH
    why = shown.why if shown else "there are no subgroups"
    if criterion.every:
        small = [one.group for one in judged if one.outcome == NOT_ENOUGH]
        parts = [f"fails in {_listed([one.group for one in failed])}"] if failed else []
        parts += [f"too few cases in {_listed(small)}"] if small else []
        why = "; ".join(parts) or ("" if judged else why)
    interval = shown.summary.interval if shown else None
    return {
        "criterion": criterion.text,
        "class": class_name,
        "subgroup": shown.group if shown else "",
        "metric": criterion.metric.name,
        "statistic": criterion.statistic,
        "of": criterion.of,
        "at_least": criterion.at_least,
        "at_most": criterion.at_most,
        "measured": shown.measured if shown else None,
        "unit": shown.summary.unit if shown else "",
        "cases": interval.cases if interval else 0,
        "undefined": sum(shown.summary.undefined.values()) if shown else 0,
        "outcome": outcome,
        "why": why,
    }


def _excess(criterion: Criterion, measured: float | None) -> float:
    """Return how far a figure is beyond the limits; negative within them."""
    if measured is None:
        return float("-inf")
    low, high = criterion.at_least, criterion.at_most
    return max(
        low - measured if low is not None else float("-inf"), measured - high if high is not None else float("-inf")
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
