"""Estimates as text: never a number without its count, and its interval or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable

from napari_segcam.number_format import UNDEFINED, percent, score, significant
from napari_segcam.review.agreement.estimate import Estimate

AsText = Callable[[float | None], str]

COLUMNS: tuple[str, ...] = ("value", "95% interval", "n", "cases", "note")
"""Of ``estimate_cells``."""


def share_text(value: float | None) -> str:
    """Return a share from 0 to 1 as a percentage."""
    return UNDEFINED if value is None else percent(value)


def kappa_text(value: float | None) -> str:
    """Return κ or α with two decimals and a true minus sign."""
    return UNDEFINED if value is None else f"{value:z.2f}".replace("-", "−")


def change_text(value: float | None) -> str:
    """Return a relative change as a percentage with its sign."""
    return UNDEFINED if value is None else f"{value:+.1%}".replace("-", "−")


def interval_text(estimate: Estimate, as_text: AsText) -> str:
    """Return the interval; a dash if there is none."""
    if estimate.lower is None or estimate.upper is None:
        return UNDEFINED
    return f"{as_text(estimate.lower)} to {as_text(estimate.upper)}"


def note_of(estimate: Estimate) -> str:
    """Return why the value is undefined, why it has no interval, or what to know of the interval; else nothing."""
    if estimate.value is None:
        return f"undefined: {estimate.reason}"
    if estimate.lower is None:
        return estimate.interval.replace("none: ", "no interval: ", 1)
    return estimate.interval.partition("; ")[2]


def estimate_cells(estimate: Estimate, as_text: AsText) -> tuple[str, ...]:
    """Return the cells of an estimate, for the columns of ``COLUMNS``."""
    return (
        as_text(estimate.value),
        interval_text(estimate, as_text),
        str(estimate.n),
        str(estimate.cases),
        note_of(estimate),
    )


def in_words(estimate: Estimate, as_text: AsText) -> str:
    """Return an estimate for running text: the value with its interval, or why it is undefined."""
    if estimate.value is None:
        return f"undefined ({estimate.reason})"
    interval = interval_text(estimate, as_text)
    return f"{as_text(estimate.value)} (95% interval {interval})" if interval != UNDEFINED else as_text(estimate.value)


def count_text(value: float | None) -> str:
    """Return a count."""
    return UNDEFINED if value is None else f"{value:.0f}"


def text_for(measure: str) -> AsText:
    """Return how the values of a measure are written."""
    if measure in ("cohen_kappa", "weighted_kappa", "fleiss_kappa", "krippendorff_alpha", "mean_grade"):
        return kappa_text
    if measure in ("dice", "dice_with_prediction", "dice_of_first_drawing"):
        return score
    if measure == "area_change":
        return change_text
    if measure == "corrected_frames":
        return count_text
    if measure in ("acceptance", "correction", "rejection", "share", "reason", "observed_agreement") or (
        measure in ("verdict_changed_by_heatmap", "acceptance_by_heatmap", "first_answer_agrees")
    ):
        return share_text
    return significant
