"""Risk and coverage over cases: whether the masks of the cases that are less doubtful are better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from napari_segcam.number_format import counted, percent, score
from napari_segcam.reporting.evidence_summary.risk import RiskCoverage, risk_coverage, risk_curve
from napari_segcam.validating.figures import Frame, figures_of
from napari_segcam.validating.metrics import BY_NAME

SET_ASIDE = 0.2
"""The share of the most doubtful cases that the words set aside."""


@dataclass(frozen=True)
class DoubtCurve:
    """How well doubt ranks the cases of one class. The risk of a case is 1 − Dice.

    Attributes:
        class_name: the class.
        doubts, dices: of the cases that have both, each the median over the frames of a case.
        without: number of cases that lack one of the two.
        area: under the curve of risk against coverage, of doubt, of random and of perfect order.
    """

    class_name: str
    doubts: tuple[float, ...]
    dices: tuple[float, ...]
    without: int
    area: RiskCoverage

    @property
    def risks(self) -> list[float]:
        """Mean risk of the least doubtful case, of the two least doubtful ones, and so on."""
        return risk_curve(self.doubts, [1 - dice for dice in self.dices])

    @property
    def perfect(self) -> list[float]:
        """The same for the best order there is."""
        risks = [1 - dice for dice in self.dices]
        return risk_curve(risks, risks)

    def kept(self, share: float = SET_ASIDE) -> list[float]:
        """Return the Dice of the cases that stay when a share of the most doubtful ones is set aside.

        Cases as doubtful as the last one that stays do stay too, so that no order among equals decides.
        """
        staying = len(self.doubts) - int(share * len(self.doubts) + 1e-9)
        edge = sorted(self.doubts)[staying - 1]
        return [dice for doubt, dice in zip(self.doubts, self.dices, strict=True) if doubt <= edge]


def doubt_curve(frames: Sequence[Frame]) -> DoubtCurve | None:
    """Return how well doubt ranks the cases of one class; None if fewer than two cases have a doubt and a Dice."""
    doubts, dices = (figures_of(BY_NAME[name], frames) for name in ("doubt", "dice"))
    pairs = [
        (doubt.value, dice.value)
        for doubt, dice in zip(doubts, dices, strict=True)
        if doubt.value is not None and dice.value is not None
    ]
    area = risk_coverage([doubt for doubt, _ in pairs], [1 - dice for _, dice in pairs])
    if area is None:
        return None
    return DoubtCurve(
        frames[0].class_name,
        tuple(doubt for doubt, _ in pairs),
        tuple(dice for _, dice in pairs),
        len(doubts) - len(pairs),
        area,
    )


def doubt_text(curve: DoubtCurve) -> str:
    """Return in words what setting aside the most doubtful cases changes."""
    total, kept = len(curve.dices), curve.kept()
    aside = total - len(kept)
    before, after = median(curve.dices), median(kept)
    if not aside:
        words = f"No case can be set aside as the most doubtful {SET_ASIDE:.0%} of {counted(total, 'case')}"
        first = f"{words}: there are too few, or they are equally doubtful."
    else:
        share = percent(aside / total).replace("%", " %")
        is_same = score(after) == score(before)
        change = f"stays at {score(after)}" if is_same else f"is {score(after)} instead of {score(before)}"
        first = f"Without the {aside} most doubtful of {counted(total, 'case')} ({share}) the median Dice {change}."
    ratio = curve.area.ratio
    second = (
        "No mask is wrong, so there is nothing to rank."
        if ratio is None
        else f"The area under the curve is {ratio:.2f} of that of random order; "
        f"the best order there is has {curve.area.perfect / curve.area.random:.2f}."
    )
    third = f" {counted(curve.without, 'case')} without a doubt or a Dice: not in the curve." if curve.without else ""
    return f"{first} {second}{third}"
