"""Pairs: the image of a settled frame and its mask."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.files import safe_name
from napari_segcam.imaging.cine import Cine, without_suffix
from napari_segcam.imaging.opening import open_cine
from napari_segcam.review.export.prediction_check import different_prediction
from napari_segcam.review.export.selection import ReviewedFrame
from napari_segcam.review.predictions import Prediction, Predictor, Regions
from napari_segcam.review.project_file import Case
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.review.report.masks import FrameMask, corrected

Frame = NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Pair:
    """A frame and its mask.

    Attributes:
        name: of both files, without suffix; unique in the export.
        source: what was settled.
        image: ``(Y, X)`` or ``(Y, X, 3)``, as stored in the file; ``(Y, X)`` where all three colors are equal.
        regions: of the classes.
        value_range: the values of black and white.
        spacing_mm: distance between rows and between columns; None if uncalibrated.
        threshold: that cut the prediction, or the one that the correction began with; None if unknown.
        mask_from: ``prediction``, ``correction`` or ``correction and prediction``.
    """

    name: str
    source: ReviewedFrame
    image: Frame
    regions: Regions
    value_range: tuple[float, float]
    spacing_mm: tuple[float, float] | None
    threshold: float | None
    mask_from: str

    @property
    def shape(self) -> tuple[int, int]:
        return self.image.shape[0], self.image.shape[1]

    @property
    def where(self) -> str:
        """Names the frame in messages."""
        return f"frame {self.source.frame} of {self.source.case.name}"


def read_pairs(
    review: Review,
    work: RaterWork,
    frames: Sequence[ReviewedFrame],
    classes: Collection[str],
    predictor: Predictor,
    warnings: list[str],
    on_frame: Callable[[], None] = lambda: None,
) -> Iterator[Pair]:
    """Yield the pairs of the frames, case by case.

    Args:
        review: that is exported.
        work: of the rater.
        frames: to read, those of a case together.
        classes: that are exported; empty for all.
        predictor: computes masks that were accepted as they are.
        warnings: gets what the user should know of the predictions.
        on_frame: called before each frame.

    Raises:
        SegcamError: if an image is missing, was changed since the project was made, or does not fit its correction.
    """
    names = _names(frames)
    for case, group in groupby(frames, key=lambda frame: frame.case):
        members = list(group)
        cine = _open(review, case)
        needed = [frame for frame in members if frame.needs_prediction(classes)]
        predictions: dict[ReviewedFrame, Prediction] = {}
        for seen, same in groupby(needed, key=lambda frame: frame.seen):
            those = list(same)
            found = predictor.predict(cine, [(frame.frame, frame.threshold) for frame in those], seen)
            predictions |= dict(zip(those, found, strict=True))
        if needed and (warning := different_prediction(review, case, cine, predictor)):
            warnings.append(warning)
        for frame in members:
            on_frame()
            image = _gray_if_equal(np.asarray(cine[frame.frame]))
            prediction = predictions.get(frame)
            regions = dict(prediction.regions) if prediction else {}
            for event in frame.corrections.values():
                mask = corrected(work, event)
                if mask is not None:
                    regions |= _fitting(mask, image, frame)
            yield Pair(
                names[frame],
                frame,
                image,
                regions,
                cine.value_range,
                cine.spacing_mm,
                prediction.threshold if prediction else frame.threshold,
                _origin(frame, prediction is not None),
            )


def _fitting(mask: FrameMask, image: Frame, frame: ReviewedFrame) -> Regions:
    if mask.labels.shape != image.shape[:2]:
        raise SegcamError(
            f"The correction of frame {frame.frame} of {frame.case.name} has {_size(mask.labels.shape)} pixels, but "
            f"the image has {_size(image.shape)}: it belongs to another image."
        )
    return mask.regions({})


def _origin(frame: ReviewedFrame, is_predicted: bool) -> str:
    parts = [*(["correction"] if frame.corrections else []), *(["prediction"] if is_predicted else [])]
    return " and ".join(parts)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} × {shape[1]}"


def _open(review: Review, case: Case) -> Cine:
    if problem := review.project.image_problem(case):
        raise SegcamError(f"{problem} Its masks may not fit another image, so nothing is exported.")
    return open_cine(review.project.image_path(case))


def _gray_if_equal(image: Frame) -> Frame:
    if (
        image.ndim == 3
        and np.array_equal(image[..., 0], image[..., 1])
        and np.array_equal(image[..., 0], image[..., 2])
    ):
        return image[..., 0]
    return image


def _names(frames: Sequence[ReviewedFrame]) -> dict[ReviewedFrame, str]:
    """Return a file name for each frame: the case's, with the frame's number in a cine; no two differ by case only."""
    names: dict[ReviewedFrame, str] = {}
    cases: dict[str, str] = {}
    for case in {frame.case.id: frame.case for frame in frames}.values():
        name = safe_name(without_suffix(case.name))
        if name.casefold() in cases.values():
            name = safe_name(f"{case.name}_{case.id}")
        cases[case.id] = name.casefold()
        for frame in frames:
            if frame.case.id == case.id:
                number = f"_frame_{frame.frame:04d}" if (case.frames or 2) > 1 else ""
                again = f"_reading_{frame.reading.repeat}" if frame.reading.repeat > 1 else ""
                names[frame] = f"{name}{number}{again}"
    return names
