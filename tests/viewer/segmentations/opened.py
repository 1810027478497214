"""Segmentation files for tests, and the opening of files as napari's own reader does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from dicom_objects.made_sources import SOURCES
from numpy.typing import NDArray

from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.new_object import save_object
from napari_segcam.dicom_objects.segmentation.segment import Segment
from napari_segcam.dicom_objects.segmentation.writing import Kind, segmentation
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.imaging.opening import open_cine

Open = Callable[..., None]
"""Opens files in a viewer and waits until they are there."""

MODEL = Algorithm("best_model.pth", "ab" * 32)


def source_file(folder: Path, kind: str) -> Path:
    """Write a made source to a folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    return SOURCES[kind](folder)


def random_masks(source: Path, segments: int, *, overlap: bool = False) -> NDArray[np.bool_]:
    """Return ``(T, S, Y, X)`` masks that differ in every frame and segment, and are not symmetric."""
    cine = open_cine(source)
    size = (len(cine), *cine.frame_shape[:2])
    random = np.random.default_rng(5)
    if overlap:
        return np.moveaxis(random.random((segments, *size)) < 0.1, 0, 1)
    labels = random.integers(0, 3 * segments, size)
    masks = np.stack([labels == number for number in range(1, segments + 1)], axis=1)
    masks[..., size[2] // 3 :] = False
    masks[:, :, 0, 0] = False
    masks[:, 0, 0, 0] = True  # the first pixel counts
    return masks


def write_segmentation(
    source: Path,
    path: Path,
    masks: NDArray[np.generic],
    *,
    frames: Sequence[int] | None = None,
    segments: Sequence[Segment] | None = None,
    kind: Kind = "binary",
) -> Path:
    """Write the masks ``(T, S, Y, X)`` of some frames of a source, by default of all, as a Segmentation."""
    if segments is None:
        names = ("fibroid", "uterus", "cyst")[: masks.shape[1] if masks.ndim == 4 else 2]
        segments = [Segment(name, algorithm=MODEL) for name in names]
    numbers = range(len(masks)) if frames is None else frames
    images = SourceImages.of(open_cine(source))
    save_object(segmentation(images, segments, [(number, masks[number]) for number in numbers], kind=kind), path)
    return path
