"""Sorting: each case and class of a run by the kind of its failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from napari_segcam.reporting.evidence_summary.shares import number, numbers
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.reporting.run_format import Row
from napari_segcam.validating.cases import Cases
from napari_segcam.validating.failures.kinds import FailureLimits, KindName, kind_of, kinds
from napari_segcam.validating.figures import Frame, by_class, frames_of
from napari_segcam.validating.rows import Rows

FAILURE_COLUMNS: dict[str, type] = {
    "case": str,
    "class": str,
    "kind": str,
    "dice": float,
    "surface_dice": float,
    "frames": int,
    "frames_by_kind": str,
    "image": str,
    "undefined": str,
    "nearest": str,
}
"""The columns of ``validation_failures.csv``, with the type of a defined value."""

_ORDER: tuple[KindName, ...] = tuple(kind.name for kind in kinds(FailureLimits()))


@dataclass(frozen=True)
class SortedCase:
    """One case and class with the kind of its failure.

    Attributes:
        case, class_name: that it is.
        kind: None if nobody can say.
        undefined: why nobody can say, the most frequent reason of its frames; empty if there is a kind.
        counts: how many of its frames are of each kind.
        frames: how many of its frames could be sorted.
        images: all of its images.
        image: the image with most frames of its kind.
        dice, surface_dice: median over its frames; None if no frame has it.
        size: the median number of true pixels or, where the truth is empty, of predicted ones.
    """

    case: str
    class_name: str
    kind: KindName | None
    undefined: str
    counts: Mapping[KindName, int]
    frames: int
    images: tuple[str, ...]
    image: str
    dice: float | None
    surface_dice: float | None
    size: float

    @property
    def is_failure(self) -> bool:
        """Whether it is of a kind that is not fine."""
        return self.kind not in (None, "fine")


def sorted_cases(run: FinishedRun, cases: Cases, limits: FailureLimits) -> list[SortedCase]:
    """Return each class of each case with its kind, in the order of classes and of cases.

    Each frame is of one kind. A case is fine if more than half of its frames are; else it is of the kind of failure
    that most of its frames are of, and of kinds as frequent, of the first in their order.

    Args:
        run: with its images.
        cases: of the images.
        limits: where failure begins.
    """
    off_scan = dict(_off_scan(run))
    found = []
    for name, frames in by_class(frames_of(run, cases)).items():
        of_case: dict[str, list[Frame]] = {}
        for frame in frames:
            of_case.setdefault(frame.case, []).append(frame)
        found += [_sorted(name, case, each, off_scan, limits) for case, each in of_case.items()]
    return found


def worst_cases(found: Sequence[SortedCase], count: int) -> list[SortedCase]:
    """Return the worst failures, by kind: each kind gives its worst case in turn, until there are enough.

    Within a kind the case with the lowest Dice is the worst, and of equal ones that with the largest finding.

    Args:
        found: all cases.
        count: how many to return at most.
    """
    queues = {
        kind: sorted((one for one in found if one.kind == kind), key=_badness) for kind in _ORDER if kind != "fine"
    }
    quotas = dict.fromkeys(queues, 0)
    left = min(count, sum(map(len, queues.values())))
    while left:
        for kind, queue in queues.items():
            if left and quotas[kind] < len(queue):
                quotas[kind] += 1
                left -= 1
    return [one for kind, queue in queues.items() for one in queue[: quotas[kind]]]


def failure_rows(
    found: Sequence[SortedCase],
    nearest: Mapping[str, Mapping[str, Sequence[SortedCase]]] | None = None,
    name_of: Callable[[str], str] = str,
) -> Rows:
    """Return one row for each case and class, with the columns of ``FAILURE_COLUMNS``.

    Args:
        found: the cases.
        nearest: the cases nearest to each, by class and case.
        name_of: returns how those are named.
    """
    nearest = nearest or {}
    return Rows(
        FAILURE_COLUMNS,
        (
            {
                "case": one.case,
                "class": one.class_name,
                "kind": one.kind,
                "dice": one.dice,
                "surface_dice": one.surface_dice,
                "frames": one.frames,
                "frames_by_kind": "; ".join(f"{kind}: {one.counts[kind]}" for kind in _ORDER if one.counts.get(kind)),
                "image": one.image,
                "undefined": one.undefined,
                "nearest": "; ".join(
                    f"{name_of(each.case)}: {each.kind}" for each in nearest.get(one.class_name, {}).get(one.case, ())
                ),
            }
            for one in found
        ),
    )


def _sorted(
    class_name: str,
    case: str,
    frames: Sequence[Frame],
    off_scan: Mapping[tuple[str, object, str], float],
    limits: FailureLimits,
) -> SortedCase:
    counts: Counter[KindName] = Counter()
    reasons: Counter[str] = Counter()
    images: dict[str, Counter[KindName]] = {}
    for frame in frames:
        place = (frame.image, frame.row.get("frame"), class_name)
        kind, why = kind_of(frame.row, off_scan.get(place), limits)
        of_image = images.setdefault(frame.image, Counter())
        if kind is None:
            reasons[why] += 1
        else:
            counts[kind] += 1
            of_image[kind] += 1
    of_case = _of_case(counts)
    rows = [frame.row for frame in frames]
    sizes = numbers(rows, "truth_pixels" if any(numbers(rows, "truth_pixels")) else "pixels")
    return SortedCase(
        case,
        class_name,
        of_case,
        "" if of_case else reasons.most_common(1)[0][0],
        counts,
        counts.total(),
        tuple(images),
        max(images, key=lambda image: images[image][of_case] if of_case else 0),
        _median(rows, "dice"),
        _median(rows, "surface_dice"),
        median(sizes) if sizes else 0.0,
    )


def _of_case(counts: Mapping[KindName, int]) -> KindName | None:
    total = sum(counts.values())
    if not total:
        return None
    if 2 * counts.get("fine", 0) > total:
        return "fine"
    return max((kind for kind in _ORDER if kind != "fine"), key=lambda kind: counts.get(kind, 0))


def _median(rows: Sequence[Row], column: str) -> float | None:
    values = numbers(rows, column)
    return median(values) if values else None


def _off_scan(run: FinishedRun) -> Iterator[tuple[tuple[str, object, str], float]]:
    """Yield for each image, frame and class the heat off the scan of the stage shown first, by the first method."""
    for image in run.images:
        for row in reversed(image.rows):
            value = number(row, "off_scan")
            if value is not None and row.get("shown_first") == row["stage"]:
                yield (image.name, row["frame"], str(row["class"])), value


def _badness(one: SortedCase) -> tuple[float, float]:
    return (-1.0 if one.dice is None else one.dice), -one.size
