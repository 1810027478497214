"""A DICOM Segmentation as a file that is opened over its image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_segcam.dicom_objects.segmentation.described import ReadSegment
from napari_segcam.dicom_objects.segmentation.reading import read_segmentation
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.viewer.segmentations.file_object import AddLayers
from napari_segcam.viewer.segmentations.laid_segmentation import LaidSegment, LaidSegmentation
from napari_segcam.viewer.segmentations.segmentation_layers import add_segmentation

_MOST_SEGMENTS = 255  # a Labels layer has 8 bits a pixel


class SegmentationFile:
    """A Segmentation that was read, in a worker; see ``FileObject`` for its attributes.

    Args:
        path: of the file.

    Raises:
        SegcamError: if it cannot be read, or has more segments than can be shown.
    """

    kind = "segmentation"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = read = read_segmentation(path)
        self.uids: tuple[str, ...] = read.referenced_uids
        self.patient_id: str = read.facts.patient_id
        self.size = f"{read.columns} × {read.rows}"
        if len(read.segments) > _MOST_SEGMENTS:
            raise SegcamError(
                f"{path.name} has {len(read.segments)} segments, and at most {_MOST_SEGMENTS} can be shown."
            )

    def lay(self, source: SourceImages) -> Iterator[AddLayers | None]:
        read = self._read.laid_over(source)
        segments = tuple(_laid_segment(segment, label) for label, segment in enumerate(read.segments, start=1))
        laid = LaidSegmentation(self.path, segments, (read.rows, read.columns), stored=set(read.looked_at))
        if read.kind == "fractional":
            laid.fraction_name, laid.largest = read.facts.fraction or "fraction", read.facts.maximum
        for frame in read.looked_at:
            for segment in segments:
                if laid.fraction_name:
                    fractions = read.fractions(frame, segment.number)
                    laid.add_fractions(frame, segment, np.rint(fractions * laid.largest).astype(np.uint8))
                else:
                    laid.add_mask(frame, segment, read.mask(frame, segment.number))
            yield None
        laid.edited = set(read.edited_frames)
        laid.settle(source.frame_count if source.frame_count > 1 else None)

        def add(viewer: ViewerModel, image: Image) -> None:
            add_segmentation(viewer, image, laid)

        yield add


def _laid_segment(segment: ReadSegment, label: int) -> LaidSegment:
    by = {"AUTOMATIC": "found by", "SEMIAUTOMATIC": "found and then edited, by", "MANUAL": "drawn by hand"}
    drawn = by.get(segment.origin, "")
    algorithm = " ".join(part for part in (segment.algorithm_name, segment.algorithm_version) if part)
    meant = segment.type.meaning if segment.type is not None else ""
    details = [segment.description, meant, f"{drawn} {algorithm}" if drawn and segment.origin != "MANUAL" else drawn]
    return LaidSegment(
        segment.number,
        label,
        segment.label,
        segment.color,
        "; ".join(detail.strip() for detail in details if detail),
        segment.origin in ("SEMIAUTOMATIC", "MANUAL"),
    )
