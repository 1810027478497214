"""Rows of the report's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_segcam.review.agreement.estimate import Estimate

Row = Mapping[str, Any]

NUMBER_COLUMNS = (
    *("measure", "about", "scope", "checkpoint", "stage", "class", "rater", "other_rater", "category"),
    *("value", "lower", "upper", "n", "cases", "missing", "undefined", "interval"),
)


@dataclass(frozen=True)
class Number:
    """A number of the report and what it is about.

    Attributes:
        measure: such as ``acceptance`` or ``cohen_kappa``.
        estimate: its value, count and interval, or why it is undefined.
        about: ``mask``, ``heatmap`` or ``quality``; empty for others.
        scope: ``case``, ``frame`` or ``finding``: the unit that is counted.
        checkpoint: whose mask or heatmap it is.
        stage: of the heatmap.
        class_name: of the masks.
        rater: whose number it is, or the first of two; ``all`` for all of them.
        other_rater: the second of two; the same for readings of one rater.
        category: the verdict, grade or reason that is counted.
        missing: units that were left out, since a rating is missing.
    """

    measure: str
    estimate: Estimate
    about: str = ""
    scope: str = "case"
    checkpoint: str = ""
    stage: str = ""
    class_name: str = ""
    rater: str = ""
    other_rater: str = ""
    category: str = ""
    missing: int | None = None

    def as_row(self) -> Row:
        """Return the row of the table, with the columns of ``NUMBER_COLUMNS``; what is undefined is None."""
        estimate = self.estimate
        return {
            "measure": self.measure,
            "about": self.about,
            "scope": self.scope,
            "checkpoint": self.checkpoint,
            "stage": self.stage,
            "class": self.class_name,
            "rater": self.rater,
            "other_rater": self.other_rater,
            "category": self.category,
            "value": estimate.value,
            "lower": estimate.lower,
            "upper": estimate.upper,
            "n": estimate.n,
            "cases": estimate.cases,
            "missing": self.missing,
            "undefined": estimate.reason,
            "interval": estimate.interval,
        }
