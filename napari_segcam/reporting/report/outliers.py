"""Outliers: images whose figures lie far from those of the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from napari_segcam.reporting.report.measures import Case, Measure, Place

LIMIT = 3.5
FEWEST = 10
"""So many values are needed to say what is usual."""


@dataclass(frozen=True)
class Outlier:
    """A figure of an image that lies far from the same figure of the others.

    Attributes:
        figure: which, in words.
        value: of this image.
        median: of all images.
        score: the modified z-score, negative below the median.
    """

    case: Case
    class_name: str
    figure: str
    value: float
    median: float
    score: float


def modified_z_scores(values: Sequence[float]) -> list[float]:
    """0.6745 (x − median) / MAD (Iglewicz & Hoaglin 1993); all 0 where more than half of the values are the same."""
    array = np.asarray(values, dtype=np.float64)
    deviations = array - np.median(array)
    spread = float(np.median(np.abs(deviations)))
    return [float(score) for score in (0.6745 * deviations / spread if spread else np.zeros_like(array))]


def outliers_of(cases: Sequence[Case], places: Sequence[Place]) -> list[Outlier]:
    """All outliers, the farthest first.

    Ratios are compared by their logarithm, as half and double are equally far from 1; of the Dice score only low
    values are outliers. A figure that fewer than ``FEWEST`` images have is not judged.
    """
    found: list[Outlier] = []
    for name in dict.fromkeys(place.class_name for place in places):
        scores = [(case, case.found[name].dice) for case in cases if name in case.found]
        found += (outlier for outlier in _far(scores, name, "Dice", float) if outlier.score < 0)
    for place in places:
        having = [(case, case.heat[place]) for case in cases if place in case.heat]
        at = f"at {place.stage} ({place.method})"
        for region, own in (
            ("prediction", [(case, heat.ratio) for case, heat in having]),
            ("truth", [(case, heat.truth_ratio) for case, heat in having]),
        ):
            found += _far(own, place.class_name, f"in/out of the {region} {at}", _logarithm)
    return sorted(found, key=lambda outlier: -abs(outlier.score))


def _far(
    measured: Sequence[tuple[Case, Measure]], class_name: str, figure: str, scale: Callable[[float], float | None]
) -> Iterator[Outlier]:
    known = [(case, measure.value) for case, measure in measured if measure.value is not None]
    scaled = [(case, value, place) for case, value in known if (place := scale(value)) is not None]
    if len(scaled) < FEWEST:
        return
    median = float(np.median([value for _, value, _ in scaled]))
    scores = modified_z_scores([place for *_, place in scaled])
    for (case, value, _), score in zip(scaled, scores, strict=True):
        if abs(score) > LIMIT:
            yield Outlier(case, class_name, figure, value, median, score)


def _logarithm(ratio: float) -> float | None:
    return math.log10(ratio) if ratio > 0 else None
