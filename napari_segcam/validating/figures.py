"""Figures of cases: the frames of a case as one figure, so that a long cine counts as much as a still."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from napari_segcam.number_format import counted
from napari_segcam.reporting.evidence_summary.shares import number
from napari_segcam.reporting.evidence_summary.summary import reason
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.reporting.run_format import Row
from napari_segcam.validating.cases import Cases
from napari_segcam.validating.metrics import Metric

NOT_EXPLAINED = "its image could not be explained"
_NOT_MEASURED = "the run did not measure it"
_NO_REASON = "no reason is recorded"
_IN_PIXELS = "its pixel spacing is unknown, so the {} is in pixels"
_NOTHING_COUNTED = {
    "found": "the truth has no finding",
    "missed": "the truth has no finding",
    "false": "nothing is predicted",
    "missed_frames": "the truth is empty in all frames",
    "false_frames": "the truth is empty in no frame",
}


@dataclass(frozen=True)
class Frame:
    """One class in one frame of an image; of an image that failed, a single frame without a row.

    Attributes:
        image: its name.
        case: that the image belongs to.
        class_name: of the class.
        row: its figures, which are the same for all methods and stages; empty if the image failed.
    """

    image: str
    case: str
    class_name: str
    row: Row


@dataclass(frozen=True)
class Figure:
    """One metric of one class in one case.

    Attributes:
        case: the case.
        class_name: the class.
        value: the median over the frames that have one; of a share, that of the case. None if it is undefined.
        counts: of a share, how many and of how many, summed over the frames; None if it is undefined.
        unit: of the value; empty without one.
        frames: number of frames that it comes from.
        images: number of images of the case.
        reason: why it is undefined: the most frequent reason of the frames; empty if it is not.
    """

    case: str
    class_name: str
    value: float | None
    counts: tuple[float, float] | None
    unit: str
    frames: int
    images: int
    reason: str


def frames_of(run: FinishedRun, cases: Cases) -> list[Frame]:
    """Return the frames of all images that have a case, in the order of the run, and those that failed."""
    frames = []
    for image in run.images:
        case = cases.of_image.get(image.name)
        if case is None:
            continue
        firsts: dict[tuple[object, object], Row] = {}
        for row in image.rows:
            firsts.setdefault((row["class"], row["frame"]), row)
        frames += [Frame(image.name, case, str(row["class"]), row) for row in firsts.values()]
    classes = list(dict.fromkeys(frame.class_name for frame in frames))
    frames += [
        Frame(failure.name, cases.of_image[failure.name], name, {})
        for failure in run.failures
        if failure.name in cases.of_image
        for name in classes
    ]
    return frames


def by_class(frames: Iterable[Frame]) -> dict[str, list[Frame]]:
    """Return the frames of each class, in the order of the classes."""
    groups: dict[str, list[Frame]] = {}
    for frame in frames:
        groups.setdefault(frame.class_name, []).append(frame)
    return groups


def figures_of(metric: Metric, frames: Sequence[Frame], scale: str | None = None) -> list[Figure]:
    """Return the figure of each case that has frames, in the order of the cases.

    Args:
        metric: of the figures.
        frames: of one class.
        scale: of the figures, as ``scale_of`` returns it for all frames of the class; by default that of these frames.
    """
    cases: dict[str, list[Frame]] = {}
    for frame in frames:
        cases.setdefault(frame.case, []).append(frame)
    of_all = scale_of(metric, frames) if scale is None else scale
    of_case = _share if metric.counts else _median
    return [of_case(metric, case, each, of_all) for case, each in cases.items()]


def scale_of(metric: Metric, frames: Iterable[Frame]) -> str:
    """Return what the lengths in a metric are in: mm, if any frame has it, as pixels of images cannot be compared.

    Empty if the metric has no lengths, or no frame has it.
    """
    if not metric.scale_column:
        return ""
    scales = {_scale(metric, frame.row) for frame in frames if _finite(frame.row, metric.name) is not None}
    return "mm" if "mm" in scales else min(scales, default="")


def undefined(figures: Iterable[Figure]) -> Counter[str]:
    """Return how many cases have no figure, by the reason."""
    return Counter(figure.reason for figure in figures if figure.value is None)


def reasons_text(reasons: Mapping[str, int]) -> str:
    """Return reasons with their counts, the most frequent first: ``"3 cases: the truth is empty"``."""
    ordered = sorted(reasons.items(), key=lambda each: -each[1])
    return "; ".join(f"{counted(count, 'case')}: {words}" for words, count in ordered)


def _median(metric: Metric, case: str, frames: Sequence[Frame], scale: str) -> Figure:
    values, reasons = [], []
    for frame in frames:
        value = _finite(frame.row, metric.name)
        if value is None:
            reasons.append(_reason(metric, frame.row))
        elif _scale(metric, frame.row) != scale:
            reasons.append(_IN_PIXELS.format("distance" if metric.unit_column else "tolerance"))
        else:
            values.append(value)
    images = len({frame.image for frame in frames})
    name = frames[0].class_name
    unit = scale if metric.unit_column else metric.unit
    if not values:
        return Figure(case, name, None, None, unit, 0, images, _most_frequent(reasons))
    return Figure(case, name, median(values), None, unit, len(values), images, "")


def _share(metric: Metric, case: str, frames: Sequence[Frame], _scale: str) -> Figure:
    assert metric.counts is not None
    known, reasons = [], []
    for frame in frames:
        counts = metric.counts(frame.row)
        if counts is None:
            reasons.append(_reason(metric, frame.row))
        else:
            known.append(counts)
    images = len({frame.image for frame in frames})
    some, of = sum(count for count, _ in known), sum(count for _, count in known)
    name = frames[0].class_name
    if not of:
        why = _NOTHING_COUNTED[metric.name] if known else _most_frequent(reasons)
        return Figure(case, name, None, None, metric.unit, 0, images, why)
    return Figure(case, name, some / of, (some, of), metric.unit, len(known), images, "")


def _scale(metric: Metric, row: Row) -> str:
    return str(row.get(metric.scale_column) or "") if metric.scale_column else ""


def _reason(metric: Metric, row: Row) -> str:
    """Return why a frame has no figure."""
    if not row:
        return NOT_EXPLAINED
    if not row.keys() >= set(metric.columns):
        return _NOT_MEASURED
    words = str(row.get(metric.reason_column) or "") if metric.reason_column else ""
    if metric.name == "probability" and number(row, "pixels") == 0:
        words = "nothing is predicted"
    for part in words.split("; "):
        name, colon, of_metric = part.partition(": ")
        if colon and name in metric.columns:
            return of_metric
    if not words and metric.needs_truth and row.get("truth_pixels") is None:
        words = "there is no true mask"
    return words or reason(row, metric.name) or _NO_REASON


def _finite(row: Row, column: str) -> float | None:
    value = number(row, column)
    return value if value is not None and math.isfinite(value) else None


def _most_frequent(reasons: Sequence[str]) -> str:
    return Counter(reasons).most_common(1)[0][0]
