"""Shares: how many of the frames that were measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from napari_segcam.reporting.run_format import Row


@dataclass(frozen=True)
class Share:
    """A count out of a total.

    Attributes:
        count: of those that fulfill a condition.
        total: of those for which it is known whether they do.
    """

    count: int
    total: int

    @classmethod
    def of(cls, conditions: Iterable[bool | None]) -> Share:
        """Count conditions; None is unknown."""
        known = [condition for condition in conditions if condition is not None]
        return cls(sum(known), len(known))

    @property
    def value(self) -> float | None:
        """The share; None if nothing is known."""
        return self.count / self.total if self.total else None

    def __str__(self) -> str:
        return f"{self.count} of {self.total}" if self.total else "–"


def numbers(rows: Iterable[Row], column: str) -> list[float]:
    """Return the defined numbers of a column."""
    return [value for row in rows if (value := number(row, column)) is not None]


def number(row: Row, column: str) -> float | None:
    """Return the number in a column of a row; None if it is undefined or not there."""
    value = row.get(column)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def at_least(rows: Iterable[Row], column: str, limit: float) -> Share:
    """Return the share of rows whose number is at least a limit."""
    return Share.of(value >= limit for value in numbers(rows, column))


def at_most(rows: Iterable[Row], column: str, limit: float) -> Share:
    """Return the share of rows whose number is at most a limit."""
    return Share.of(value <= limit for value in numbers(rows, column))


def middle(values: Sequence[float]) -> float | None:
    """Return the median; None if there are no values."""
    return median(values) if values else None


def mean(values: Sequence[float]) -> float | None:
    """Return the mean; None if there are no values."""
    return fmean(values) if values else None
