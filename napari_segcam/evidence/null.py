"""Nulls: a figure, and its distribution under chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Measurement:
    """A figure with its null distribution.

    Attributes:
        value: the figure; None where it is undefined.
        null: the figure under chance, one value a draw.
        undefined: why there is no figure or no null, in words; empty where there are both.
    """

    value: float | None
    null: tuple[float, ...] = ()
    undefined: str = ""

    @property
    def expected(self) -> float | None:
        """Mean under chance."""
        return fmean(self.null) if self.null else None

    @property
    def lift(self) -> float | None:
        """Difference between the figure and the mean under chance."""
        return None if self.value is None or self.expected is None else self.value - self.expected

    @property
    def p(self) -> float | None:
        """p = (1 + #{null ≥ value}) / (K + 1) (Davison & Hinkley 1997); None without a figure or a null."""
        return None if self.value is None or not self.null else p_value(self.value, self.null)


def p_value(value: float, null: Sequence[float]) -> float:
    """Return the share of draws that are at least as large as the figure, counting the figure itself as a draw.

    Values that differ only by rounding count as equal.
    """
    rounding = 1e-9 * max(1.0, abs(value))
    return (1 + sum(draw >= value - rounding for draw in null)) / (len(null) + 1)
