"""Paired differences between two runs on the same images, case by case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from napari_segcam.errors import SegcamError
from napari_segcam.reporting.evidence_summary.shares import number
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.reporting.run_format import Row
from napari_segcam.validating.cases import Cases
from napari_segcam.validating.figures import Figure, Frame, by_class, figures_of, frames_of, reasons_text, scale_of
from napari_segcam.validating.metrics import Metric, metrics_of
from napari_segcam.validating.paired import PAIRED_COLUMNS, paired_cells
from napari_segcam.validating.rows import Rows

DIFFERENCE_COLUMNS: dict[str, type] = {
    "class": str,
    "metric": str,
    "unit": str,
    **PAIRED_COLUMNS,
    "better": int,
    "worse": int,
    "undefined": int,
    "undefined_why": str,
}
"""The columns of ``validation_differences.csv``, with the type of a defined value."""

_NOT_BOTH = "no frame has the figure in both runs"
_OTHER_IMAGE = "the image of this name is another one in the other run"
_NOT_THERE = "the other run does not have its images"
_OTHER_TOLERANCE = "the other run has another tolerance"
_Key = tuple[str, object]


def difference_rows(run: FinishedRun, other: FinishedRun, cases: Cases, seed: int = 0) -> Rows:
    """Return one row for each metric and class that both runs have, with the columns of ``DIFFERENCE_COLUMNS``.

    A difference is that of this run minus the other, between the figures of a case over the frames in which both have
    the figure. The interval is of the mean over the cases, as ``compare`` gives it.

    Args:
        run: this run.
        other: the run that it is compared with. Images are paired by name, and frames by number.
        cases: of this run.
        seed: of the intervals.

    Raises:
        SegcamError: if the runs have no image or no class in common.
    """
    checksums = {image.name: image.sha256 for image in other.images}
    changed = {
        image.name
        for image in run.images
        if image.sha256 and checksums.get(image.name) and checksums[image.name] != image.sha256
    }
    ours = by_class(frames_of(run, cases))
    theirs = by_class(frames_of(other, cases))
    classes = [name for name in ours if name in theirs]
    if not classes:
        raise SegcamError("The two runs have no image and class in common, so there are no differences between them.")
    metrics = [metric for metric in _metrics(ours) if metric in _metrics(theirs)]
    tolerances = {one.part("metrics").get("tolerance") for one in (run, other)}
    return Rows(
        DIFFERENCE_COLUMNS,
        (
            _row(
                metric,
                name,
                ours[name],
                theirs[name],
                changed,
                seed,
                _OTHER_TOLERANCE if metric.tolerance_column and len(tolerances) > 1 else "",
            )
            for name in classes
            for metric in metrics
        ),
    )


def _metrics(frames: Mapping[str, Sequence[Frame]]) -> list[Metric]:
    return metrics_of(frame.row for each in frames.values() for frame in each)


def _row(
    metric: Metric,
    class_name: str,
    ours: Sequence[Frame],
    theirs: Sequence[Frame],
    changed: set[str],
    seed: int,
    why_none: str,
) -> Row:
    first, second = (dict(_defined(metric, frames, changed)) for frames in (ours, theirs))
    both = [
        key
        for key in ([] if why_none else first)
        if key in second and scale_of(metric, [first[key]]) == scale_of(metric, [second[key]])
    ]
    figures_a = _by_case(metric, [first[key] for key in both])
    figures_b = _by_case(metric, [second[key] for key in both])
    paired = [
        (a.value, b.value)
        for case, a in figures_a.items()
        if a.value is not None and (b := figures_b[case]).value is not None
    ]
    known = {case for case, a in figures_a.items() if a.value is not None and figures_b[case].value is not None}
    there = {frame.image for frame in theirs}
    reasons = Counter(
        why_none or _reason({frame.image for frame in ours if frame.case == case}, there, changed)
        for case in dict.fromkeys(frame.case for frame in ours)
        if case not in known
    )
    worse = [badness for value in paired if (badness := _worse(metric, *value)) is not None]
    return {
        "class": class_name,
        "metric": metric.name,
        "unit": next((figure.unit for figure in figures_a.values()), metric.unit),
        **paired_cells(paired, seed),
        "better": sum(each < 0 for each in worse) if worse else None,
        "worse": sum(each > 0 for each in worse) if worse else None,
        "undefined": sum(reasons.values()),
        "undefined_why": reasons_text(reasons),
    }


def _defined(metric: Metric, frames: Sequence[Frame], changed: set[str]) -> Iterator[tuple[_Key, Frame]]:
    """Yield the frames that have the figure, by image and number."""
    for frame in frames:
        has_it = metric.counts(frame.row) if metric.counts else number(frame.row, metric.name)
        if has_it is not None and frame.image not in changed:
            yield (frame.image, frame.row["frame"]), frame


def _by_case(metric: Metric, frames: Sequence[Frame]) -> dict[str, Figure]:
    return {figure.case: figure for figure in figures_of(metric, frames)}


def _reason(images: set[str], there: set[str], changed: set[str]) -> str:
    if not images & there:
        return _NOT_THERE
    return _OTHER_IMAGE if images & changed else _NOT_BOTH


def _worse(metric: Metric, this: float, other: float) -> float | None:
    """Return how much worse this value is than the other; None if no value is worse than another."""
    bad, other_bad = metric.badness(this), metric.badness(other)
    return None if bad is None or other_bad is None else bad - other_bad
