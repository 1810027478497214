"""Masks of the made sources, and Segmentations of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicom_objects.made_sources import SOURCES
from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.new_object import save_object
from napari_segcam.dicom_objects.segmentation.segment import Segment
from napari_segcam.dicom_objects.segmentation.writing import Kind, segmentation
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.imaging.opening import open_cine

NETWORK = Algorithm("best_model.pth", "5e" * 32, ("architecture Unet", "threshold 0.5"))

SEGMENTS = (
    Segment("fibroid", algorithm=NETWORK, color="#00e5ff"),
    Segment("My class", "SEMIAUTOMATIC", NETWORK, edited_frames=(0,)),
    Segment("cyst", "MANUAL", finding=2, tracking_id="cyst 2"),
)


def source_of(kind: str, folder: Path) -> SourceImages:
    """Write a made source and return its images."""
    return SourceImages.of(open_cine(SOURCES[kind](folder)))


def masks_of(source: SourceImages, number: int, kind: Kind, segments: int = len(SEGMENTS)) -> NDArray[Any]:
    """Return masks of one frame: noise that overlaps, other for each frame; labels for a label map."""
    random = np.random.default_rng([22, number])
    if kind == "labelmap":
        return random.integers(0, segments + 1, (source.rows, source.columns)).astype(np.uint16)
    chances = random.random((segments, source.rows, source.columns), np.float32)
    return chances > 0.7 if kind == "binary" else chances


def write_masks(
    path: Path,
    source: SourceImages,
    kind: Kind = "binary",
    *,
    segments: Sequence[Segment] = SEGMENTS,
    numbers: Sequence[int] | None = None,
    masks: Callable[[int], NDArray[Any]] | None = None,
) -> Path:
    """Write a Segmentation of these frames, by default of all with the masks of ``masks_of``."""

    def frames() -> Iterator[tuple[int, NDArray[Any]]]:
        for number in range(source.frame_count) if numbers is None else numbers:
            yield number, masks(number) if masks else masks_of(source, number, kind, len(segments))

    save_object(segmentation(source, segments, frames(), kind=kind), path)
    return path
