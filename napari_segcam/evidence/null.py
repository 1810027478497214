"""Nulls: a figure beside what chance gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Measurement:
    """A figure beside its null.

    Attributes:
        value: the figure; None where it is undefined.
        null: the same under chance, draw by draw.
        undefined: why there is no figure or no null, in words; empty where there are both.
    """

    value: float | None
    null: tuple[float, ...] = ()
    undefined: str = ""

    @property
    def expected(self) -> float | None:
        """The mean under chance."""
        return fmean(self.null) if self.null else None

    @property
    def lift(self) -> float | None:
        """How far the figure is above the mean under chance."""
        return None if self.value is None or self.expected is None else self.value - self.expected

    @property
    def p(self) -> float | None:
        """p = (1 + #{null ≥ value}) / (K + 1) (Davison & Hinkley 1997); None without a figure or a null."""
        return None if self.value is None or not self.null else p_value(self.value, self.null)


def p_value(value: float, null: Sequence[float]) -> float:
    """The share of draws, the figure itself with them, that are at least as large.

    What differs by rounding alone counts as equal.
    """
    rounding = 1e-9 * max(1.0, abs(value))
    return (1 + sum(draw >= value - rounding for draw in null)) / (len(null) + 1)
