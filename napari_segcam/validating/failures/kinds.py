"""Kinds of failure: how the mask of a frame is wrong, by rules with thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_segcam.reporting.evidence_summary.shares import number
from napari_segcam.reporting.run_format import Row
from napari_segcam.validating.figures import NOT_EXPLAINED

KindName = Literal["missed", "false", "doubled", "partly", "boundary", "off scan", "fine"]


@dataclass(frozen=True)
class Kind:
    """A kind of failure, or none.

    Attributes:
        name: for tables.
        title: for pages.
        rule: when a frame is of this kind, if it is of none before.
    """

    name: KindName
    title: str
    rule: str


@dataclass(frozen=True)
class FailureLimits:
    """Where failure begins.

    Attributes:
        dice: a mask of a lower Dice is wrong at its boundary. Below 0.8 the benchmark of doubt calls a mask bad.
        surface_dice: a mask of a lower surface Dice is too: below 0.5 most of the outline is beyond the tolerance.
        off_scan: from this share of heat off the scan on, as in the statement of a stage.
    """

    dice: float = 0.8
    surface_dice: float = 0.5
    off_scan: float = 0.5


def kinds(limits: FailureLimits) -> tuple[Kind, ...]:
    """Return all kinds in the order in which they are tried; the last one is no failure.

    Args:
        limits: that their rules name.
    """
    return (
        Kind("missed", "Missed", "The truth has the class, and no true finding is paired with a predicted one."),
        Kind("false", "False", "The truth is empty, and something is predicted."),
        Kind(
            "doubled",
            "Doubled",
            "A true finding could be paired with two or more predicted ones, or a predicted one with two or more true "
            "ones (intersection over union of 0.1 or more).",
        ),
        Kind(
            "partly",
            "Partly found",
            "Some findings are paired, and at least one true finding is missed or one predicted finding is false.",
        ),
        Kind(
            "boundary",
            "Boundary",
            f"All findings are paired, and Dice is below {limits.dice:g} or surface Dice below "
            f"{limits.surface_dice:g}.",
        ),
        Kind(
            "off scan",
            "Heat off the scan",
            f"The mask is fine, but {100 * limits.off_scan:g} % or more of the heat of the stage shown first is off "
            "the scan.",
        ),
        Kind("fine", "Fine", "None of these, or both masks are empty."),
    )


def kind_of(row: Row, off_scan: float | None, limits: FailureLimits) -> tuple[KindName | None, str]:
    """Return the kind of a frame, or None and why nobody can say.

    Without counts of findings, which earlier runs do not have, a finding is missed if Dice is 0, and none is doubled
    or partly found.

    Args:
        row: the figures of the class in the frame; empty if its image failed.
        off_scan: share of the heat of the stage shown first that is off the scan; None if it is unknown.
        limits: where failure begins.
    """
    if not row:
        return None, NOT_EXPLAINED
    truth, predicted, dice = (number(row, name) for name in ("truth_pixels", "pixels", "dice"))
    if truth is None:
        return None, "there is no true mask"
    if predicted is None:
        return None, "the run did not measure the mask"
    if not truth:
        return ("false" if predicted else "fine"), ""
    found = number(row, "findings_found")
    if not predicted or found == 0 or (found is None and dice == 0):
        return "missed", ""
    if number(row, "findings_split") or number(row, "findings_merged"):
        return "doubled", ""
    if number(row, "findings_missed") or number(row, "findings_false"):
        return "partly", ""
    if dice is None:
        return None, str(row.get("overlap_undefined") or "the run did not measure its Dice")
    surface_dice = number(row, "surface_dice")
    if dice < limits.dice or (surface_dice is not None and surface_dice < limits.surface_dice):
        return "boundary", ""
    return ("off scan" if off_scan is not None and off_scan >= limits.off_scan else "fine"), ""
