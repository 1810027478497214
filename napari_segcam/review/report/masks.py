"""Masks: what each rater takes to be right in a frame, and how far such masks overlap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.mask_metrics.overlap import overlap
from napari_segcam.review.agreement.bootstrap import Bootstrap
from napari_segcam.review.agreement.estimate import Estimate
from napari_segcam.review.agreement.proportion import clustered_mean
from napari_segcam.review.log.events import Correction
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.project_file import Case
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.review.report.rows import Number

Labels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class FrameMask:
    """The mask of one frame.

    Attributes:
        labels: ``(Y, X)``.
        names: of its labels.
        of_class: the class, if classes may overlap: then each label but 0 is of that class.
    """

    labels: Labels
    names: Mapping[int, str]
    of_class: str = ""

    def regions(self, more_names: Mapping[int, str]) -> dict[str, NDArray[np.bool_]]:
        """Return the region ``(Y, X)`` of each class that the mask can hold, by its name.

        Args:
            more_names: of labels, such as those of a mask to compare with.
        """
        if self.of_class:
            return {self.of_class: self.labels > 0}
        used = {int(label): f"label {label}" for label in np.unique(self.labels) if label}
        names = used | dict(more_names) | dict(self.names)
        return {name: self.labels == label for label, name in names.items() if label}


@dataclass(frozen=True, eq=False)
class Pair:
    """Two masks of one frame.

    Attributes:
        case: its identifier.
        frame: its number.
        first, second: the masks; both None where they are one and the same prediction.
    """

    case: str
    frame: int
    first: FrameMask | None
    second: FrameMask | None


def corrected(work: RaterWork, event: Correction) -> FrameMask | None:
    """Return the mask that a correction holds; None if it was discarded."""
    return None if event.mask is None else FrameMask(work.labels(event.mask), event.names, event.of_class)


def predicted(work: RaterWork, event: Correction) -> FrameMask | None:
    """Return the prediction that a correction began with; None if the rater drew without one."""
    return (
        None if event.started_from is None else FrameMask(work.labels(event.started_from), event.names, event.of_class)
    )


def overlaps(review: Review, bootstrap: Bootstrap, warnings: list[str]) -> Iterator[Number]:
    """Yield Dice with the prediction, between raters and between two readings of one rater, by class.

    Args:
        review: that is reported.
        bootstrap: how cases are resampled.
        warnings: gets what could not be read.
    """
    for checkpoint in review.checkpoints:
        for work in review.raters:
            pairs = list(_with_prediction(review, work, checkpoint, warnings))
            yield from _numbers("dice_with_prediction", pairs, checkpoint, (work.rater, ""), bootstrap)
        for first, second in combinations(review.raters, 2):
            pairs = list(_between(review, (first, 1), (second, 1), checkpoint, warnings))
            yield from _numbers("dice", pairs, checkpoint, (first.rater, second.rater), bootstrap)
        for work in review.raters:
            if any(reading.repeat == 2 for reading in work.readings):
                pairs = list(_between(review, (work, 1), (work, 2), checkpoint, warnings))
                yield from _numbers("dice", pairs, checkpoint, (work.rater, work.rater), bootstrap)


def _with_prediction(review: Review, work: RaterWork, checkpoint: str, warnings: list[str]) -> Iterator[Pair]:
    for case in review.project.cases:
        for (frame, _), event in work.of(case).corrections.items():
            if event.checkpoint == checkpoint and event.started_from is not None:
                try:
                    yield _pair(case, frame, corrected(work, event), predicted(work, event))
                except SegcamError as error:
                    warnings.append(str(error))


def _between(
    review: Review,
    first: tuple[RaterWork, int],
    second: tuple[RaterWork, int],
    checkpoint: str,
    warnings: list[str],
) -> Iterator[Pair]:
    """Yield both masks of each frame that both readings settled; at least one of them is a correction or both accepted.

    A reading settles a frame by a correction, or by accepting the prediction. The prediction is what the other
    reading's correction began with, so a pair of one correction that began without one and an acceptance is left out.
    """
    for case in review.project.cases:
        one, other = first[0].of(case, first[1]), second[0].of(case, second[1])
        keys = {
            key for state in (one, other) for key, event in state.corrections.items() if event.checkpoint == checkpoint
        }
        for frame, of_class in sorted(keys):
            try:
                masks = _settled(
                    (first[0], one, one.corrections.get((frame, of_class))),
                    (second[0], other, other.corrections.get((frame, of_class))),
                    frame,
                    checkpoint,
                )
                if masks is not None:
                    yield _pair(case, frame, *masks)
            except SegcamError as error:
                warnings.append(str(error))
        corrected_frames = {frame for frame, _ in keys}
        for frame in range(_frames(case, one, other)):
            if frame not in corrected_frames and all(_accepts(state, frame, checkpoint) for state in (one, other)):
                yield Pair(case.id, frame, None, None)


def _pair(case: Case, frame: int, first: FrameMask | None, second: FrameMask | None) -> Pair:
    """Return two masks of a frame.

    Raises:
        SegcamError: if they are not of one size.
    """
    if first is not None and second is not None and first.labels.shape != second.labels.shape:
        raise SegcamError(
            f"Frame {frame} of {case.name} has masks of two sizes, {first.labels.shape} and {second.labels.shape}: "
            "they are not compared."
        )
    return Pair(case.id, frame, first, second)


Side = tuple[RaterWork, ReadingState, Correction | None]
"""One of two readings of a frame: the rater, what the rater did with the case, and the correction of the frame."""


def _settled(one: Side, other: Side, frame: int, checkpoint: str) -> tuple[FrameMask | None, FrameMask | None] | None:
    """Return the masks of two readings of a frame that at least one of them corrected; None if one is not settled."""
    first, second = one[2], other[2]
    if first is not None and second is not None:
        return corrected(one[0], first), corrected(other[0], second)
    if first is not None:
        return _against_accepted(one[0], first, other[1], frame, checkpoint)
    if second is None:
        return None
    swapped = _against_accepted(other[0], second, one[1], frame, checkpoint)
    return None if swapped is None else swapped[::-1]


def _against_accepted(
    work: RaterWork, event: Correction, accepting: ReadingState, frame: int, checkpoint: str
) -> tuple[FrameMask | None, FrameMask | None] | None:
    """Return a correction and the prediction that it began with, if the other reading accepted that prediction."""
    if not _accepts(accepting, frame, checkpoint) or event.started_from is None:
        return None
    threshold = threshold_shown(accepting, frame, checkpoint)
    if threshold is not None and event.threshold is not None and threshold != event.threshold:
        return None  # they were shown different predictions
    return corrected(work, event), predicted(work, event)


def threshold_shown(state: ReadingState, frame: int, checkpoint: str) -> float | None:
    """Return the threshold of the prediction that the rater saw when the verdict on a frame was given."""
    verdict = state.verdict_at(frame, checkpoint=checkpoint)
    seen = [
        shown.threshold
        for shown in state.shown
        if shown.prediction and shown.checkpoint == checkpoint and (verdict is None or shown.n < verdict.n)
    ]
    return seen[-1] if seen else None


def _accepts(state: ReadingState, frame: int, checkpoint: str) -> bool:
    verdict = state.verdict_at(frame, checkpoint=checkpoint)
    return verdict is not None and verdict.value == "accept"


def _frames(case: Case, *states: ReadingState) -> int:
    """Return how many frames to ask about: those up to the last that was rated, if the case's number is unknown."""
    last = max((verdict.last or 0 for state in states for verdict in state.verdicts), default=-1)
    return case.frames or last + 1


def _numbers(
    measure: str, pairs: list[Pair], checkpoint: str, raters: tuple[str, str], bootstrap: Bootstrap
) -> Iterator[Number]:
    """Yield the mean Dice of each class over cases, and how many frames have no Dice since both masks are empty."""
    values: dict[str, list[tuple[str, float]]] = {}
    without: dict[str, int] = {}
    for pair in pairs:
        if pair.first is None or pair.second is None:
            continue
        first, second = pair.first.regions(pair.second.names), pair.second.regions(pair.first.names)
        nothing = np.zeros(pair.first.labels.shape, np.bool_)
        for name in sorted({*first, *second}):
            dice = overlap(first.get(name, nothing), second.get(name, nothing)).dice
            if dice is None:
                without[name] = without.get(name, 0) + 1
            else:
                values.setdefault(name, []).append((pair.case, dice))
    for name in sorted({*values, *without}):
        found = values.get(name, [])
        estimate = clustered_mean([dice for _, dice in found], [case for case, _ in found], bootstrap)
        if not found:
            estimate = Estimate.undefined("both masks are empty in every frame", 0, 0)
        yield _number(measure, estimate, checkpoint, raters, name, missing=without.get(name, 0))
    if not values and not without:
        reason = (
            "no correction began with a prediction"
            if measure == "dice_with_prediction"
            else "no frame was corrected by one and settled by the other"
        )
        yield _number(measure, Estimate.undefined(reason), checkpoint, raters, "")
    if measure == "dice":
        same = sum(pair.first is None and pair.second is None for pair in pairs)
        cases = len({pair.case for pair in pairs if pair.first is None})
        count = Estimate(float(same), n=same, cases=cases, interval="none: a count")
        yield _number("both_accepted_frames", count, checkpoint, raters, "")


def _number(
    measure: str,
    estimate: Estimate,
    checkpoint: str,
    raters: tuple[str, str],
    class_name: str,
    missing: int | None = None,
) -> Number:
    return Number(
        measure,
        estimate,
        "mask",
        "frame",
        checkpoint,
        class_name=class_name,
        rater=raters[0],
        other_rater=raters[1],
        missing=missing,
    )
