"""A criterion: what a figure of a model must be, read from its fields or from one line of text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, cast

from napari_segcam.errors import SegcamError
from napari_segcam.statistics.interval import FEW_CASES, StatisticName
from napari_segcam.validating.metrics import BY_NAME, Metric

Of = Literal["value", "lower bound", "upper bound"]

OF: tuple[Of, ...] = ("value", "lower bound", "upper bound")
EVERY_SUBGROUP = "subgroup"
FIELDS = ("metric", "statistic", "at_least", "at_most", "of", "every", "class", "enough_cases")
"""The fields of a criterion."""

_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(%|mm²|mm2|mm|px)?")
_LINE = re.compile(
    r"(?P<metric>\w+)(?:\s+(?P<statistic>median|mean|share))?\s*(?P<sign>>=|<=|≥|≤)\s*(?P<number>[-+.\w]+(?:\s*%|\s+mm²|"
    r"\s+mm2|\s+mm|\s+px)?)(?:\s+(?:of\s+)?(?P<of>value|lower bound|upper bound))?"
    r"(?:\s+(?:in\s+)?every\s+(?P<every>.+?))?(?:\s+class\s+(?P<class>.+?))?(?:\s+with\s+(?P<enough_cases>\d+)\s+cases)?"
)
LINE_FORM = "METRIC [STATISTIC] >= NUMBER [lower bound] [every subgroup] [class NAME] [with COUNT cases]"
"""The form of a criterion in one line."""


@dataclass(frozen=True)
class Criterion:
    """What a figure must be.

    Attributes:
        metric: of the figure.
        statistic: over the cases.
        at_least: the smallest value that passes; None if there is no such limit.
        at_most: the largest value that passes; None if there is no such limit.
        of: what is compared with the limits: the value, or an end of its interval.
        every: whose figure: empty for all cases, ``"subgroup"`` for each subgroup of any attribute, or an attribute.
        class_name: of the figure; empty for each class.
        enough_cases: with fewer cases with a figure, nobody can say whether it passes.
        unit: of the limits; empty if it was not given.
        where: its place, for messages.
    """

    metric: Metric
    statistic: StatisticName
    at_least: float | None
    at_most: float | None
    of: Of = "value"
    every: str = ""
    class_name: str = ""
    enough_cases: int = FEW_CASES
    unit: str = ""
    where: str = ""

    @property
    def text(self) -> str:
        """The criterion in words: ``"dice median ≥ 0.85, lower bound, in every subgroup"``."""
        unit = f" {self.unit}" if self.unit else ""
        limits = [
            f"{sign} {limit:g}{unit}"
            for sign, limit in (("≥", self.at_least), ("≤", self.at_most))
            if limit is not None
        ]
        parts = [f"{self.metric.name} {self.statistic} {' and '.join(limits)}"]
        parts += [self.of] if self.of != "value" else []
        parts += [f"in every {self.every}"] if self.every else []
        parts += [f"class {self.class_name}"] if self.class_name else []
        return ", ".join(parts)


Field = tuple[str, str]
"""The text of a field, and its place, for messages."""


def criterion_of(fields: Mapping[str, Field], where: str) -> Criterion:
    """Return a criterion from its fields.

    Args:
        fields: those of ``FIELDS`` that are given.
        where: the place of the criterion.

    Raises:
        SegcamError: if a field is unknown, missing or wrong; the message has its place and what is allowed.
    """
    for name, (_, place) in fields.items():
        if name not in FIELDS:
            raise SegcamError(f"{place}: {name} is no field of a criterion{_allowed(name, FIELDS)}")
    if "metric" not in fields:
        raise SegcamError(f"{where}: the criterion names no metric. There are {', '.join(BY_NAME)}.")
    name, place = fields["metric"]
    if name not in BY_NAME:
        raise SegcamError(f"{place}: {name} is no metric{_allowed(name, BY_NAME)}")
    metric = BY_NAME[name]
    if "at_least" not in fields and "at_most" not in fields:
        raise SegcamError(f"{where}: the criterion on {name} has no limit: give at_least or at_most.")
    limits = {field: _limit(*fields[field], metric) for field in ("at_least", "at_most") if field in fields}
    at_least, at_most = (limits.get(field, (None, ""))[0] for field in ("at_least", "at_most"))
    if at_least is not None and at_most is not None and at_least > at_most:
        raise SegcamError(f"{where}: nothing is at least {at_least:g} and at most {at_most:g}.")
    return Criterion(
        metric,
        cast(
            StatisticName, _choice(fields.get("statistic", (metric.statistic, where)), metric.statistics, "statistic")
        ),
        at_least,
        at_most,
        cast(Of, _choice(fields.get("of", ("value", where)), OF, "of")),
        fields.get("every", ("", where))[0],
        fields.get("class", ("", where))[0],
        _count(*fields["enough_cases"]) if "enough_cases" in fields else FEW_CASES,
        next((unit for _, unit in limits.values() if unit), ""),
        where,
    )


def criterion_in(line: str, where: str) -> Criterion:
    """Return a criterion from one line, such as ``dice median >= 0.85 lower bound``.

    Raises:
        SegcamError: if it is not understood; the message has its place and what is allowed.
    """
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise SegcamError(f"{where}: {line!r} is not understood. A criterion in one line is {LINE_FORM}.")
    parts = {name: (text.strip(), where) for name, text in match.groupdict().items() if text}
    sign, number = parts.pop("sign")[0], parts.pop("number")
    return criterion_of({**parts, "at_least" if sign in (">=", "≥") else "at_most": number}, where)


def _limit(text: str, place: str, metric: Metric) -> tuple[float, str]:
    """Return a limit and its unit; a percentage is a share of 1."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None or not math.isfinite(float(match[1])):
        raise SegcamError(f"{place}: {text!r} is no number. Allowed are numbers such as 0.85, 5 % or 2 mm.")
    value, unit = float(match[1]), (match[2] or "").replace("mm2", "mm²")
    units = ("mm", "px") if metric.unit_column else (metric.unit,) if metric.unit else ("%",)
    if unit and unit not in units:
        raise SegcamError(f"{place}: {text!r} is in {unit}, but {metric.name} is in {' or '.join(units)}.")
    return (value / 100, "") if unit == "%" else (value, unit)


def _choice(field: Field, allowed: Iterable[str], name: str) -> str:
    text, place = field
    if text not in allowed:
        raise SegcamError(f"{place}: {name} is {text!r}{_allowed(text, allowed)}")
    return text


def _count(text: str, place: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise SegcamError(f"{place}: enough_cases is {text!r}. Allowed is a count of cases, such as 20.")
    return int(text)


def _allowed(word: str, allowed: Iterable[str]) -> str:
    names = list(allowed)
    close = get_close_matches(word, names, 1)
    hint = f": is {close[0]} meant?" if close else "."
    return f"{hint} Allowed: {', '.join(names)}."
