"""Timing of an overlay cine: that of its source, also where only some of the frames are exported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import format_number_as_ds

from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.dicom_objects.values import valid_values

_FRAME_TIME, _FRAME_TIME_VECTOR = Tag("FrameTime"), Tag("FrameTimeVector")
_RATES = ("CineRate", "RecommendedDisplayFrameRate")


def write_timing(dataset: Dataset, source: SourceImages, numbers: Sequence[int]) -> bool:
    """Add the time between frames; return whether it is known.

    Args:
        dataset: of an object with several frames.
        source: of the frames.
        numbers: of the frames in the cine, from 0, in order.
    """
    starts = _starts_of(source)
    if starts is None:
        return False
    steps = [starts[after] - starts[before] for before, after in pairwise(numbers)]
    if all(math.isclose(step, steps[0], rel_tol=1e-6) for step in steps):
        dataset.FrameTime = format_number_as_ds(steps[0])
        dataset.FrameIncrementPointer = _FRAME_TIME
    else:
        dataset.FrameTimeVector = [format_number_as_ds(float(step)) for step in (0.0, *steps)]
        dataset.FrameIncrementPointer = _FRAME_TIME_VECTOR
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        for keyword in _RATES:
            if (rate := _number(source.first, keyword)) is not None:
                setattr(dataset, keyword, str(round(rate)))
    return True


def _starts_of(source: SourceImages) -> list[float] | None:
    """Return when each frame begins, in ms after the first; None if unknown."""
    header = source.first
    if len(source.headers) > 1:
        return None
    pointed = _pointed(header)
    vector = valid_values(header, "FrameTimeVector")
    if _FRAME_TIME_VECTOR in pointed and len(vector) == source.frame_count:
        steps = [0.0, *(float(step) for step in vector[1:])]
        if all(math.isfinite(step) and step > 0 for step in steps[1:]):
            return list(accumulate(steps))
    time = _number(header, "FrameTime") if _FRAME_TIME in pointed else None
    if time is None and source.frame_rate is not None:
        time = 1000 / source.frame_rate
    return None if time is None else [time * index for index in range(source.frame_count)]


def _pointed(header: Dataset) -> list[BaseTag]:
    """Return the elements that the frame increment pointer names."""
    try:
        pointers = header.get("FrameIncrementPointer")
        return [Tag(pointer) for pointer in (pointers if isinstance(pointers, MultiValue) else [pointers]) if pointer]
    except Exception:  # pydicom's errors for a damaged value are of many types
        return []


def _number(header: Dataset, keyword: str) -> float | None:
    try:
        value = float(header.get(keyword))
    except Exception:  # pydicom's errors for a damaged value are of many types
        return None
    return value if math.isfinite(value) and value > 0 else None
