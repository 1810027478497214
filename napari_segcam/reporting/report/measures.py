"""Measures: one value per image for each figure of a run, and the distribution of such values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from napari_segcam.reporting.report.finished_run import ReportedImage
from napari_segcam.reporting.run_format import REASON_COLUMNS, Row

_NO_REASON = "no reason is recorded"


class HeatmapKey(NamedTuple):
    """Which heatmap of an image: of one class, method and stage."""

    class_name: str
    method: str
    stage: str


@dataclass(frozen=True)
class Measure:
    """One figure of one image.

    Attributes:
        value: the median over the frames that have one, so that a long cine weighs no more than a still; None if no
            frame has one.
        reason: why there is no value, in words: the most frequent reason of the frames; empty if there is a value.
    """

    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class HeatStatistics:
    """The heat of one image in one heatmap.

    Attributes:
        mean, std: of the raw heat, in units of the score.
        ratio: mean heat inside the predicted region / outside.
        truth_ratio: the same for the true region.
        empty: why the heatmap of the image, or of most of its frames, is empty; "" if it is not.
        ratio_null, ratio_p: mean of the ratio for the region at random places, and the share of places with no less.
        truth_ratio_null, truth_ratio_p: the same for the true region.
    """

    mean: Measure
    std: Measure
    ratio: Measure
    truth_ratio: Measure
    empty: str
    ratio_null: Measure
    ratio_p: Measure
    truth_ratio_null: Measure
    truth_ratio_p: Measure


@dataclass(frozen=True)
class Finding:
    """What the network found of one class in one image, beside the truth.

    ``area`` and ``truth_area`` are in mm², and have no value if the pixel spacing is unknown.
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
    """One image of the report: its number, its name in the report, its figures, and whether it has a page."""

    number: int
    name: str
    image: ReportedImage
    heat: Mapping[HeatmapKey, HeatStatistics]
    findings: Mapping[str, Finding]
    has_page: bool = True

    @property
    def anchor(self) -> str:
        """Where its page is; empty without one."""
        return image_anchor(self.number) if self.has_page else ""


@dataclass(frozen=True)
class Distribution:
    """Statistics of one value per image; all but the counts are None if no image has a value.

    Attributes:
        count: of images with a value.
        undefined: count of images without a value, by reason.
        std: with n − 1; None for a single value.
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
        """Return the distribution of measures, one per image."""
        measures = list(measures)
        values = values_of(measures)
        undefined = Counter(measure.reason for measure in measures if measure.value is None)
        if not values:
            return cls(0, undefined)
        low, middle, high = (float(value) for value in np.percentile(values, (25, 50, 75)))
        std = float(np.std(values, ddof=1)) if len(values) > 1 else None
        if std is not None and min(values) == max(values):
            std = 0.0  # without a rounding error
        return cls(len(values), undefined, float(np.mean(values)), std, middle, low, high)


def values_of(measures: Iterable[Measure]) -> list[float]:
    """Return the values that are defined."""
    return [measure.value for measure in measures if measure.value is not None]


def image_anchor(number: int) -> str:
    """Return the anchor of the page of an image, by its number in the run, from 1."""
    return f"image-{number}"


def report_cases(images: Sequence[ReportedImage], anonymous: bool = False, has_pages: bool = True) -> list[Case]:
    """Return one case per image, in their order; ``anonymous`` replaces names by numbers."""
    digits = max(3, len(str(len(images))))
    return [
        Case(
            number,
            f"Image {number:0{digits}d}" if anonymous else image.name,
            image,
            _heat(image),
            _findings(image),
            has_pages,
        )
        for number, image in enumerate(images, 1)
    ]


def heatmap_keys(cases: Sequence[Case]) -> list[HeatmapKey]:
    """Return the keys of all heatmaps: classes, methods and stages, each in the order of the run."""
    keys = list(dict.fromkeys(key for case in cases for key in case.heat))
    ranks = [{name: rank for rank, name in enumerate(dict.fromkeys(names))} for names in zip(*keys, strict=True)]
    return sorted(keys, key=lambda key: [rank[name] for rank, name in zip(ranks, key, strict=True)])


def _heat(image: ReportedImage) -> dict[HeatmapKey, HeatStatistics]:
    rows: dict[HeatmapKey, list[Row]] = {}
    for row in image.rows:
        rows.setdefault(HeatmapKey(str(row["class"]), str(row["method"]), str(row["stage"])), []).append(row)
    return {
        key: HeatStatistics(
            _measure(frames, "mean"),
            _measure(frames, "std"),
            _measure(frames, "ratio"),
            _measure(frames, "truth_ratio"),
            _empty(frames),
            *(_measure(frames, name) for name in ("ratio_null", "ratio_p", "truth_ratio_null", "truth_ratio_p")),
        )
        for key, frames in rows.items()
    }


def _findings(image: ReportedImage) -> dict[str, Finding]:
    rows: dict[str, dict[str, Row]] = {}
    for row in image.rows:  # the same for every method and stage of a frame
        rows.setdefault(str(row["class"]), {}).setdefault(str(row["frame"]), row)
    findings = {}
    for class_name, by_frame in rows.items():
        frames = list(by_frame.values())
        findings[class_name] = Finding(
            _measure(frames, "dice"),
            _measure(frames, "iou"),
            _measure(frames, "pixels"),
            _measure(frames, "truth_pixels"),
            _measure(frames, "area_mm2"),
            _measure(frames, "truth_area_mm2"),
            _measure(frames, "probability"),
        )
    return findings


def _measure(rows: Sequence[Row], column: str) -> Measure:
    values = [value for row in rows if (value := _number(row.get(column))) is not None]
    if values:
        return Measure(float(np.median(values)))
    reasons = Counter(str(row.get(REASON_COLUMNS.get(column, "")) or _NO_REASON) for row in rows)
    return Measure(None, reasons.most_common(1)[0][0])


def _empty(rows: Sequence[Row]) -> str:
    reasons = Counter(str(row["empty"]) for row in rows if row.get("empty"))
    return reasons.most_common(1)[0][0] if 2 * reasons.total() > len(rows) else ""


def _number(value: object) -> float | None:
    """Return a finite number; None for anything else."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
