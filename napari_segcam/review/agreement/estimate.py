"""Estimate: a number with what it is based on and how sure it is, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

LEVEL = 0.95
"""Confidence level of all intervals."""


@dataclass(frozen=True)
class Estimate:
    """A number of a reading.

    Attributes:
        value: None if it is undefined.
        lower: of the interval; None if there is no interval.
        upper: of the interval; None if there is no interval.
        n: how many units it is based on: cases, frames, findings or pairs of masks.
        cases: how many cases these units come from.
        reason: why the value is undefined; empty if it is defined.
        interval: how the interval was computed, or why there is none.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None
    n: int = 0
    cases: int = 0
    reason: str = ""
    interval: str = ""

    @classmethod
    def undefined(cls, reason: str, n: int = 0, cases: int = 0) -> Estimate:
        """Return an estimate without a value, for this reason."""
        return cls(None, n=n, cases=cases, reason=reason)
