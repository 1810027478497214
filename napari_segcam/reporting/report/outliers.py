"""Outliers: images whose figures are far from those of the other images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from napari_segcam.reporting.report.measures import Case, HeatmapKey, Measure

LIMIT = 3.5
FEWEST_VALUES = 10
"""With fewer values than this, it is unknown what is usual."""


@dataclass(frozen=True)
class Outlier:
    """A figure of an image that is far from the same figure of the other images.

    Attributes:
        case: the image.
        class_name: of the figure.
        figure: its name, in words.
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
    """Return 0.6745 (x − median) / MAD (Iglewicz & Hoaglin 1993); all 0 if more than half of the values are equal."""
    array = np.asarray(values, dtype=np.float64)
    deviations = array - np.median(array)
    spread = float(np.median(np.abs(deviations)))
    return [float(score) for score in (0.6745 * deviations / spread if spread else np.zeros_like(array))]


def find_outliers(cases: Sequence[Case], keys: Sequence[HeatmapKey]) -> list[Outlier]:
    """Return all outliers, the farthest first.

    Ratios are compared by their logarithm, as half and double are equally far from 1. For Dice only low values are
    outliers. A figure that fewer than ``FEWEST_VALUES`` images have is not judged.
    """
    outliers: list[Outlier] = []
    for class_name in dict.fromkeys(key.class_name for key in keys):
        scores = [(case, case.findings[class_name].dice) for case in cases if class_name in case.findings]
        outliers += (outlier for outlier in _far_values(scores, class_name, "Dice", float) if outlier.score < 0)
    for key in keys:
        heats = [(case, case.heat[key]) for case in cases if key in case.heat]
        at_stage = f"at {key.stage} ({key.method})"
        for region, ratios in (
            ("prediction", [(case, heat.ratio) for case, heat in heats]),
            ("truth", [(case, heat.truth_ratio) for case, heat in heats]),
        ):
            outliers += _far_values(ratios, key.class_name, f"in/out of the {region} {at_stage}", _logarithm)
    return sorted(outliers, key=lambda outlier: -abs(outlier.score))


def _far_values(
    measures: Sequence[tuple[Case, Measure]], class_name: str, figure: str, scale: Callable[[float], float | None]
) -> Iterator[Outlier]:
    values = [(case, measure.value) for case, measure in measures if measure.value is not None]
    scaled = [(case, value, on_scale) for case, value in values if (on_scale := scale(value)) is not None]
    if len(scaled) < FEWEST_VALUES:
        return
    median = float(np.median([value for _, value, _ in scaled]))
    scores = modified_z_scores([on_scale for *_, on_scale in scaled])
    for (case, value, _), score in zip(scaled, scores, strict=True):
        if abs(score) > LIMIT:
            yield Outlier(case, class_name, figure, value, median, score)


def _logarithm(ratio: float) -> float | None:
    return math.log10(ratio) if ratio > 0 else None
