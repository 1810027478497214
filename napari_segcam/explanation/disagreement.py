"""Disagreement: how much the members of an ensemble differ about one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOBODY = "no member of the ensemble finds anything of this class in the frame"
NO_MASK = "the networks classify the whole frame: there are no masks to compare"
ALONE = "the ensemble has one member only"
DEFINITION = "1 − the mean Dice of the masks of the explained class, over all pairs of members; two empty masks agree"


@dataclass(frozen=True, eq=False)
class Disagreement:
    """How much the members differ about the explained class in one frame.

    Attributes:
        value: 0–1, the mean over all pairs of members of 1 − Dice of their masks, where two empty masks agree fully;
            None if it is undefined.
        undefined: why there is no value, in words; empty if there is one.
        deviation: ``(Y, X)`` float32 on the frame's grid, the standard deviation of the members' probabilities of the
            class, by their weights: 0 where all agree, 0.5 where half are sure of it and half of its absence.
            ``(1, 1)`` from networks that classify the whole frame.
    """

    value: float | None
    undefined: str
    deviation: NDArray[np.float32] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain values, ready for JSON."""
        return {
            "disagreement": self.value,
            "disagreement_undefined": self.undefined,
            "disagreement_is": DEFINITION,
            "largest_deviation": float(self.deviation.max()),
        }


def disagreement_of(
    probabilities: Sequence[NDArray[np.float32]],
    masks: Sequence[NDArray[np.bool_]],
    weights: Sequence[float],
    *,
    segments: bool = True,
) -> Disagreement:
    """Return the disagreement of some networks.

    Args:
        probabilities: of the class, ``(Y, X)`` from each member, on one grid.
        masks: of the class, ``(Y, X)`` from each member.
        weights: of the members, which add up to 1.
        segments: whether the members give masks.
    """
    deviation = deviation_of(probabilities, weights)
    undefined = ""
    if not segments:
        undefined = NO_MASK
    elif len(masks) < 2:
        undefined = ALONE
    elif not any(mask.any() for mask in masks):
        undefined = NOBODY
    value = None if undefined else fmean(_dice_distance(*pair) for pair in combinations(masks, 2))
    return Disagreement(value, undefined, deviation)


def deviation_of(probabilities: Sequence[NDArray[np.float32]], weights: Sequence[float]) -> NDArray[np.float32]:
    """Return the standard deviation, by weights that add up to 1, of arrays of one shape.

    The variance is Σ w_i w_j (p_i − p_j)² over all pairs, which is exactly 0 where all are equal.
    """
    variance = np.zeros(probabilities[0].shape)
    for (first, weight), (second, other) in combinations(zip(probabilities, weights, strict=True), 2):
        difference = first.astype(np.float64) - second
        variance += weight * other * difference * difference
    return np.sqrt(variance).astype(np.float32)


def _dice_distance(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return 1 − Dice of two masks (Dice 1945); 0 where both are empty."""
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    return 1 - 2 * int(np.count_nonzero(first & second)) / total if total else 0.0
