"""Risk and coverage: how well a measure of doubt ranks bad masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RiskCoverage:
    """The area under the curve of risk against coverage (Geifman & El-Yaniv 2017), and what it could be.

    The risk of a frame is 1 − Dice. Frames are kept in the order of their doubt, the least doubtful first; the risk at
    a coverage is the mean over those kept.

    Attributes:
        area: of the measure.
        random: of random order, which is the mean risk.
        perfect: of the best possible order.
        frames: number of frames.
    """

    area: float
    random: float
    perfect: float
    frames: int

    @property
    def ratio(self) -> float | None:
        """The area divided by that of random order, 1 where the measure says nothing; None if no mask is wrong."""
        return self.area / self.random if self.random else None


def risk_coverage(doubts: Sequence[float], risks: Sequence[float]) -> RiskCoverage | None:
    """Return how well doubts rank risks; None for fewer than two frames. Frames of equal doubt share their risk."""
    if len(risks) < 2:
        return None
    curve, perfect = risk_curve(doubts, risks), risk_curve(risks, risks)
    return RiskCoverage(float(np.mean(curve)), float(np.mean(risks)), float(np.mean(perfect)), len(risks))


def risk_curve(doubts: Sequence[float], risks: Sequence[float]) -> list[float]:
    """Return the mean risk of the least doubtful frame, of the two least doubtful ones, and so on, up to all.

    Frames of equal doubt share their risk.
    """
    doubt, risk = np.asarray(doubts, np.float64), np.asarray(risks, np.float64)
    levels, inverse = np.unique(doubt, return_inverse=True)
    means = np.bincount(inverse, risk, len(levels)) / np.bincount(inverse)
    ordered = means[np.sort(inverse)]  # each frame's level, the least doubtful first
    return [float(mean) for mean in np.cumsum(ordered) / np.arange(1, len(ordered) + 1)]
