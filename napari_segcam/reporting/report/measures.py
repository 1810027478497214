"""Measures: one value per image for every figure of a run, and how such values are distributed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from napari_segcam.reporting.report.finished_run import ReportedImage
from napari_segcam.reporting.run_format import REASON_COLUMNS, Row

_UNKNOWN = "no reason is recorded"


class Place(NamedTuple):
    """Where a heatmap belongs."""

    class_name: str
    method: str
    stage: str


@dataclass(frozen=True)
class Measure:
    """One figure of one image.

    Attributes:
        value: the median over the frames that have one, so that a long cine weighs no more than a still; None where
            no frame has one.
        reason: why there is no value, in words: the most frequent one over the frames; empty where there is a value.
    """

    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class Heat:
    """The heat of one image at one place.

    Attributes:
        mean, std: of the raw heat, in the score's own units.
        ratio: mean heat inside the predicted region / outside.
        truth_ratio: likewise for the true region.
        empty: why the heatmap of the image, or of most of its frames, is empty; "" where it is not.
    """

    mean: Measure
    std: Measure
    ratio: Measure
    truth_ratio: Measure
    empty: str


@dataclass(frozen=True)
class Found:
    """What the network found of one class in one image, beside the truth.

    ``area`` and ``truth_area`` are in mm², and without value where the pixels' size is unknown.
    """

    dice: Measure
    iou: Measure
    pixels: Measure
    truth_pixels: Measure
    area: Measure
    truth_area: Measure
    probability: Measure


@dataclass(frozen=True)
class Case:
    """One image of the report: its name there, its place in the pages, and its figures."""

    number: int
    name: str
    image: ReportedImage
    heat: Mapping[Place, Heat]
    found: Mapping[str, Found]

    @property
    def anchor(self) -> str:
        return f"image-{self.number}"


@dataclass(frozen=True)
class Distribution:
    """Values over images; all but the counts are None where there is no value.

    Attributes:
        count: of images with a value.
        undefined: of images without, by reason.
        std: with n − 1; None for one value.
    """

    count: int
    undefined: Mapping[str, int]
    mean: float | None = None
    std: float | None = None
    median: float | None = None
    lower_quartile: float | None = None
    upper_quartile: float | None = None

    @classmethod
    def of(cls, measures: Iterable[Measure]) -> Distribution:
        """The distribution of some measures, one per image."""
        measures = list(measures)
        values = values_of(measures)
        undefined = Counter(measure.reason for measure in measures if measure.value is None)
        if not values:
            return cls(0, undefined)
        low, middle, high = (float(value) for value in np.percentile(values, (25, 50, 75)))
        std = float(np.std(values, ddof=1)) if len(values) > 1 else None
        if std is not None and min(values) == max(values):
            std = 0.0  # and not what rounding leaves
        return cls(len(values), undefined, float(np.mean(values)), std, middle, low, high)


def values_of(measures: Iterable[Measure]) -> list[float]:
    """The values that are defined."""
    return [measure.value for measure in measures if measure.value is not None]


def cases_of(images: Sequence[ReportedImage], anonymous: bool = False) -> list[Case]:
    """One case per image, in their order; ``anonymous`` puts numbers in the place of names."""
    digits = max(3, len(str(len(images))))
    return [
        Case(number, f"Image {number:0{digits}d}" if anonymous else image.name, image, _heat(image), _found(image))
        for number, image in enumerate(images, 1)
    ]


def places_of(cases: Sequence[Case]) -> list[Place]:
    """Every place that occurs: classes, methods and stages each in the order in which the run has them."""
    seen = list(dict.fromkeys(place for case in cases for place in case.heat))
    ranks = [{name: rank for rank, name in enumerate(dict.fromkeys(names))} for names in zip(*seen, strict=True)]
    return sorted(seen, key=lambda place: [rank[name] for rank, name in zip(ranks, place, strict=True)])


def _heat(image: ReportedImage) -> dict[Place, Heat]:
    rows: dict[Place, list[Row]] = {}
    for row in image.rows:
        rows.setdefault(Place(str(row["class"]), str(row["method"]), str(row["stage"])), []).append(row)
    return {
        place: Heat(
            _measure(own, "mean"),
            _measure(own, "std"),
            _measure(own, "ratio"),
            _measure(own, "truth_ratio"),
            _empty(own),
        )
        for place, own in rows.items()
    }


def _found(image: ReportedImage) -> dict[str, Found]:
    rows: dict[str, dict[str, Row]] = {}
    for row in image.rows:  # the same for every method and stage of a frame
        rows.setdefault(str(row["class"]), {}).setdefault(str(row["frame"]), row)
    found = {}
    for name, by_frame in rows.items():
        own = list(by_frame.values())
        found[name] = Found(
            _measure(own, "dice"),
            _measure(own, "iou"),
            _measure(own, "pixels"),
            _measure(own, "truth_pixels"),
            _measure(own, "area_mm2"),
            _measure(own, "truth_area_mm2"),
            _measure(own, "probability"),
        )
    return found


def _measure(rows: Sequence[Row], column: str) -> Measure:
    values = [value for row in rows if (value := _number(row.get(column))) is not None]
    if values:
        return Measure(float(np.median(values)))
    reasons = Counter(str(row.get(REASON_COLUMNS.get(column, "")) or _UNKNOWN) for row in rows)
    return Measure(None, reasons.most_common(1)[0][0])


def _empty(rows: Sequence[Row]) -> str:
    reasons = Counter(str(row["empty"]) for row in rows if row.get("empty"))
    return reasons.most_common(1)[0][0] if 2 * reasons.total() > len(rows) else ""


def _number(value: object) -> float | None:
    """A finite number; None for anything else."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
