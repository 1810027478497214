"""Check of predictions: whether a mask that is computed again is the one that a rater saw."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.review.log.events import Correction
from napari_segcam.review.predictions import Predictor
from napari_segcam.review.project_file import Case
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.review.report.masks import predicted

_SAME = 0.001  # the largest share of pixels that differ by the rounding of another machine


def different_prediction(review: Review, case: Case, cine: Cine, predictor: Predictor) -> str:
    """Return how a prediction of the case differs from the one that a rater saw, in words; empty if it does not.

    The log keeps the prediction that a correction began with; one of each case is computed again. Without any, nothing
    is known, and the text is empty.

    Args:
        review: that is exported.
        case: with predictions that were accepted.
        cine: of the case.
        predictor: computes them.
    """
    for work, event in _corrections(review, case, predictor.checkpoint.name):
        try:
            seen = predicted(work, event)
        except SegcamError:  # its file is missing
            continue
        if seen is None or event.frame >= len(cine):
            continue
        seen_input = work.state.of(event.reading).input_at(event.n)
        (again,) = predictor.predict(cine, [(event.frame, event.threshold)], seen_input)
        shape = seen.labels.shape
        for name, region in seen.regions({}).items():
            other = again.regions.get(name, np.zeros(shape, np.bool_))
            share = float(np.mean(region != other)) if other.shape == shape else 1.0
            if share > _SAME:
                return (
                    f"The prediction of frame {event.frame} of {case.name} is not the one that {work.rater} saw: "
                    f"{share:.1%} of the pixels differ. Perhaps another network was loaded in the window, or another "
                    "version of torch computes otherwise. The accepted masks of this case may differ too."
                )
        return ""
    return ""


def _corrections(review: Review, case: Case, checkpoint: str) -> Iterator[tuple[RaterWork, Correction]]:
    for work in review.raters:
        for event in work.of(case).corrections.values():
            if event.checkpoint == checkpoint and event.started_from is not None and event.threshold is not None:
                yield work, event
