"""First answers: what a rater found before the prediction was shown, against the prediction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine
from napari_segcam.mask_metrics.overlap import overlap
from napari_segcam.review.agreement.bootstrap import Bootstrap
from napari_segcam.review.agreement.estimate import Estimate
from napari_segcam.review.agreement.proportion import clustered_mean, clustered_share
from napari_segcam.review.log.events import Answer, Correction, Input
from napari_segcam.review.predictions import Predictor, Regions
from napari_segcam.review.project_file import Case
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.review.report.masks import FrameMask, corrected
from napari_segcam.review.report.rows import Number

NOT_RUN = "the predictions are not known to the report: add --predict, which runs the checkpoint on the answered cases"

_SAID = {True: "finding", False: "no finding"}
_CHECKPOINT = "A"  # the one that is hidden and shown


class _Predicted:
    """The predictions of cases, each computed once."""

    def __init__(self, review: Review, warnings: list[str]) -> None:
        self._review, self._warnings = review, warnings
        self._predictor = Predictor(review.project, _CHECKPOINT)
        self._known: dict[tuple[str, Input | None], list[Regions] | None] = {}

    def of(self, case: Case, seen: Input | None) -> list[Regions] | None:
        """Return the regions of all frames of a case; None if it cannot be computed, which is a warning.

        Args:
            case: that is computed.
            seen: what the network saw of it.

        Raises:
            SegcamError: if the checkpoint cannot be used.
        """
        key = case.id, seen
        if key not in self._known:
            _ = self._predictor.network  # outside the handler: without it there is no prediction at all
            try:
                cine = open_cine(self._review.project.image_path(case))
                found = self._predictor.predict(cine, [(number, None) for number in range(len(cine))], seen)
                self._known[key] = [prediction.regions for prediction in found]
            except SegcamError as error:
                self._warnings.append(f"{case.name} is left out of the first answers: {error}")
                self._known[key] = None
        return self._known[key]


def first_answers(review: Review, bootstrap: Bootstrap, *, predict: bool, warnings: list[str]) -> Iterator[Number]:
    """Yield how often the first answer of a blinded reading says what the prediction says, and Dice of first drawings.

    Args:
        review: that is reported.
        bootstrap: how cases are resampled.
        predict: whether to run the checkpoint; without it, the numbers are undefined.
        warnings: gets what could not be read.
    """
    predicted = _Predicted(review, warnings) if predict else None
    for work in review.raters:
        answers = {case.id: answer for case in review.project.cases if (answer := work.of(case).answer) is not None}
        if not answers:
            continue
        if predicted is None:
            yield _number("first_answer_agrees", work, Estimate.undefined(NOT_RUN, len(answers), len(answers)))
            continue
        pairs = []
        drawn: list[tuple[str, float]] = []
        for case_id, answer in answers.items():
            case = review.cases[case_id]
            regions = predicted.of(case, work.of(case).input_at())
            try:
                masks = _first_drawings(work, answer)
            except SegcamError as error:
                warnings.append(str(error))
                continue
            if regions is not None:
                found = any(region.any() for frame in regions for region in frame.values())
                pairs.append((case.id, _said(masks, answer), found))
                drawn += [(case.id, dice) for dice in _dice(masks, regions)]
        yield from _answers(work, pairs, bootstrap)
        if drawn:
            dice = clustered_mean([value for _, value in drawn], [case for case, _ in drawn], bootstrap)
            yield _number("dice_of_first_drawing", work, dice)


def _answers(work: RaterWork, pairs: list[tuple[str, bool, bool]], bootstrap: Bootstrap) -> Iterator[Number]:
    if not pairs:
        yield _number("first_answer_agrees", work, Estimate.undefined("no answered case could be computed"))
        return
    share = clustered_share([said == found for _, said, found in pairs], [case for case, _, _ in pairs], bootstrap)
    yield _number("first_answer_agrees", work, share)
    for (said, found), count in sorted(Counter((said, found) for _, said, found in pairs).items()):
        category = f"said {_SAID[said]}, predicted {_SAID[found]}"
        estimate = Estimate(float(count), n=len(pairs), cases=len(pairs), interval="none: a count")
        yield _number("first_answers", work, estimate, category)


def _said(masks: list[tuple[int, FrameMask]], answer: Answer) -> bool:
    """Return whether the first answer is that there is a finding; a drawing is one if it has a pixel."""
    return any(mask.labels.any() for _, mask in masks) if answer.found is None else answer.found


def _first_drawings(work: RaterWork, answer: Answer) -> list[tuple[int, FrameMask]]:
    """Return the frames and masks that were drawn before an answer, as they were then.

    Raises:
        SegcamError: if the file of one is missing or damaged.
    """
    latest: dict[tuple[int, str], Correction] = {}
    for event in work.events:
        if isinstance(event, Correction) and event.reading == answer.reading and event.n < answer.n:
            latest[event.frame, event.of_class] = event
    masks = [(event.frame, corrected(work, event)) for event in latest.values() if event.started_from is None]
    return [(frame, mask) for frame, mask in masks if mask is not None]


def _dice(masks: list[tuple[int, FrameMask]], predicted: list[Regions]) -> Iterator[float]:
    """Yield Dice of each class of each frame that was drawn; there is none where both are empty."""
    for frame, mask in masks:
        for name, region in mask.regions({}).items() if frame < len(predicted) else ():
            other = predicted[frame].get(name, np.zeros(region.shape, np.bool_))
            dice = overlap(region, other).dice if other.shape == region.shape else None
            if dice is not None:
                yield dice


def _number(measure: str, work: RaterWork, value: Estimate, category: str = "") -> Number:
    return Number(measure, value, "mask", "case", _CHECKPOINT, rater=work.rater, category=category)
