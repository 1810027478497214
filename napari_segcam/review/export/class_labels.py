"""Class labels: the classes of an export and the label of each, which is consecutive from 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.review.predictions import Regions
from napari_segcam.review.report.masks import FrameMask

_MOST_CLASSES = 255


def classes_of(predicted: Sequence[str], corrections: Iterable[FrameMask]) -> list[str]:
    """Return the names of all classes: the network's in its order, then those that only corrections have.

    Args:
        predicted: names of the network's classes without the background; empty if no prediction is exported.
        corrections: that are exported.
    """
    painted: dict[str, int] = {}
    for mask in corrections:
        if mask.of_class:
            painted.setdefault(mask.of_class, 1)
            continue
        used = {int(label): f"label {label}" for label in np.unique(mask.labels) if label}
        for label, name in (used | {label: name for label, name in mask.names.items() if label}).items():
            painted.setdefault(name, label)
    others = sorted((label, name) for name, label in painted.items() if name not in predicted)
    return [*predicted, *(name for _, name in others)]


def chosen_labels(classes: Sequence[str], chosen: Sequence[str]) -> dict[str, int]:
    """Return the label of each class to export.

    Raises:
        SegcamError: if a chosen class does not exist, or there are more than fit in a mask.
    """
    for name in chosen:
        if name not in classes:
            known = ", ".join(f"“{each}”" for each in classes) or "none"
            raise SegcamError(f"There is no class “{name}” in what is exported. The classes are: {known}.")
    names = [name for name in classes if not chosen or name in chosen]
    if len(names) > _MOST_CLASSES:
        raise SegcamError(f"There are {len(names)} classes, more than the {_MOST_CLASSES} that a mask holds.")
    return {name: number for number, name in enumerate(names, start=1)}


def label_map(regions: Regions, labels: Mapping[str, int], shape: tuple[int, int], where: str) -> NDArray[np.uint8]:
    """Return the mask ``(Y, X)`` of a frame, with the label of its class in each pixel and 0 elsewhere.

    Args:
        regions: of the frame's classes.
        labels: of the classes to export.
        shape: of the frame.
        where: names the frame in messages.

    Raises:
        SegcamError: if two of the classes overlap.
    """
    result = np.zeros(shape, np.uint8)
    for name, label in labels.items():
        region = regions.get(name)
        if region is None:
            continue
        if result[region].any():
            other = next(each for each, value in labels.items() if value == result[region].max())
            raise SegcamError(
                f"“{name}” and “{other}” overlap in {where}, and a mask holds one class a pixel: choose one with "
                "--class, or --format coco, which keeps both."
            )
        result[region] = label
    return result
