"""Numbers as text: one named format for each use."""

from __future__ import annotations

UNDEFINED = "–"
"""Text of a value that is undefined."""


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``"1 image"``, ``"2 images"``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def significant(value: float | None) -> str:
    """Return three significant digits, trailing zeros included, and all digits before the point: for tables."""
    if value is None:
        return UNDEFINED
    return f"{value:.0f}" if abs(value) >= 1000 and abs(value) < 1e9 else f"{value:#.3g}".rstrip(".")


def compact(value: float) -> str:
    """Return at most three significant digits, and no power of ten between 0.0001 and a million: for labels."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def grouped(value: float, digits: int = 3) -> str:
    """Return whole numbers from 100 on, their thousands set apart, and so many significant digits below."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.{digits}g}"


def score(value: float | None) -> str:
    """Return a score from 0 to 1, such as Dice, with three decimals."""
    return UNDEFINED if value is None else f"{value:.3f}"


def percent(share: float) -> str:
    """Return a share from 0 to 1 as a percentage with one decimal."""
    return f"{share:.1%}"
