"""Writing the masks of a cine as a DICOM Segmentation that refers to its frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.uid import SegmentationStorage

from napari_segcam.dicom_objects.lossy_compression import add_lossy_compression
from napari_segcam.dicom_objects.new_object import new_object
from napari_segcam.dicom_objects.segmentation.frame_groups import add_dimensions, frame_group, shared_group
from napari_segcam.dicom_objects.segmentation.packing import (
    MAXIMUM_FRACTION,
    BitPacker,
    BytePacker,
    Packer,
    as_fractions,
)
from napari_segcam.dicom_objects.segmentation.segment import Segment, segment_items
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicom.object_kind import LABEL_MAP_SEGMENTATION_STORAGE

Kind = Literal["binary", "fractional", "labelmap"]

_MOST_SEGMENTS = 65535  # a segment number has 16 bits


def segmentation(
    source: SourceImages,
    segments: Sequence[Segment],
    frames: Iterable[tuple[int, NDArray[Any]]],
    *,
    kind: Kind = "binary",
    series_uid: str | None = None,
    series_number: int = 1,
    instance_number: int = 1,
) -> FileDataset:
    """Return the masks of some frames as a Segmentation.

    Every frame that is given is stored for every segment, even if its mask is empty: a frame that is stored was looked
    at, and a frame that is missing was not.

    Args:
        source: the images of the cine.
        segments: in the order of the masks.
        frames: numbers of frames, from 0, each with its masks: ``(S, Y, X)`` bool if binary; ``(S, Y, X)``
            probabilities from 0 to 1 if fractional, which are rounded to steps of 1/255; labels ``(Y, X)`` if a label
            map, in which the first segment is 1 and 0 is none. They are asked for one by one and not kept.
        kind: ``binary`` and ``fractional`` allow segments that overlap; a label map is smaller where they do not.
        series_uid: of a series that it joins; by default it begins one.
        series_number: of its series.
        instance_number: of the object in its series.

    Raises:
        SegcamError: if there are no frames, one is given twice, is not of the source or has another size; or if the
            segments or values cannot be written.
    """
    if kind not in ("binary", "fractional", "labelmap"):
        raise SegcamError(f"A segmentation is binary, fractional or labelmap, not {kind}.")
    items = segment_items(segments)
    if len(items) > _MOST_SEGMENTS:
        raise SegcamError(f"A segmentation has at most {_MOST_SEGMENTS} segments, but there are {len(items)}.")
    itemsize = 2 if kind == "labelmap" and len(items) > 255 else 1
    packer: Packer = BitPacker() if kind == "binary" else BytePacker(itemsize, deflates=kind == "labelmap")
    numbers: list[int] = []
    for number, masks in frames:
        _check_number(number, source, numbers)
        for plane in _planes(np.asarray(masks), source, len(items), kind, number):
            packer.add(plane)
        numbers.append(number)
    if not numbers:
        raise SegcamError("A segmentation needs at least one frame.")
    algorithm = next((segment.algorithm for segment in segments if segment.algorithm is not None), None)
    dataset = new_object(
        source,
        LABEL_MAP_SEGMENTATION_STORAGE if kind == "labelmap" else SegmentationStorage,
        modality="SEG",
        series_description=_series_description(segments),
        algorithm=algorithm,
        series_uid=series_uid,
        series_number=series_number,
        instance_number=instance_number,
        frames=numbers,
    )
    _add_image_module(dataset, source, kind, itemsize)
    dataset.SegmentSequence = items
    add_dimensions(dataset, source, by_segment=kind != "labelmap")
    numbered = [None] if kind == "labelmap" else list(range(1, len(items) + 1))
    dataset.SharedFunctionalGroupsSequence = [shared_group(source)]
    dataset.PerFrameFunctionalGroupsSequence = [
        frame_group(source, number, segment, is_edited=_is_edited(segments, number, segment))
        for number in numbers
        for segment in numbered
    ]
    dataset.NumberOfFrames = len(dataset.PerFrameFunctionalGroupsSequence)
    dataset.PixelData, syntax = packer.packed()
    dataset["PixelData"].VR = "OW" if itemsize == 2 and not syntax.is_encapsulated else "OB"
    dataset["PixelData"].is_undefined_length = syntax.is_encapsulated
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def _is_edited(segments: Sequence[Segment], number: int, segment: int | None) -> bool:
    """Return whether a reader changed the mask of a segment in a frame; in a label map, of any."""
    shown = segments if segment is None else [segments[segment - 1]]
    return any(number in one.edited_frames for one in shown)


def _check_number(number: int, source: SourceImages, numbers: Sequence[int]) -> None:
    if not 0 <= number < source.frame_count:
        raise SegcamError(f"The cine has {source.frame_count} frames, and none with the number {number}.")
    if numbers and number <= numbers[-1]:
        raise SegcamError(f"The frames of a segmentation come in order, each once, but {number} follows {numbers[-1]}.")


def _planes(masks: NDArray[Any], source: SourceImages, count: int, kind: Kind, number: int) -> Iterable[NDArray[Any]]:
    """Return what is stored of one frame: a plane for each segment, or one with the labels of all."""
    size = (source.rows, source.columns)
    expected = size if kind == "labelmap" else (count, *size)
    if masks.shape != expected:
        raise SegcamError(
            f"The masks of frame {number} have the shape {masks.shape}, but the segmentation needs {expected}."
        )
    if kind == "labelmap":
        if masks.dtype.kind not in "biu":
            raise SegcamError(f"The labels of frame {number} are no whole numbers ({masks.dtype}).")
        if masks.size and (int(masks.min()) < 0 or int(masks.max()) > count):
            raise SegcamError(f"The labels of frame {number} are {masks.min()} to {masks.max()}, not 0 to {count}.")
        return [masks]
    if kind == "fractional":
        return [as_fractions(plane) for plane in masks]
    if masks.dtype != bool:
        raise SegcamError(f"The masks of frame {number} are no masks of true and false ({masks.dtype}).")
    return list(masks)


def labels_of(masks: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return masks ``(S, Y, X)`` as labels ``(Y, X)`` for a label map, the first segment as 1.

    Raises:
        SegcamError: if they overlap.
    """
    overlap = int(np.count_nonzero(masks.sum(axis=0) > 1))
    if overlap:
        raise SegcamError(
            f"Segments overlap in {overlap} pixels, and a label map has one for each pixel. Write it as BINARY."
        )
    numbers = np.arange(1, len(masks) + 1, dtype=np.uint16)[:, None, None]
    return np.asarray((masks * numbers).sum(axis=0, dtype=np.uint16))


def _series_description(segments: Sequence[Segment]) -> str:
    is_edited = any(segment.origin != "AUTOMATIC" for segment in segments)
    names = ", ".join(segment.full_label for segment in segments)
    return f"Segmentation{' (edited)' if is_edited else ''}: {names}"


def _add_image_module(dataset: Dataset, source: SourceImages, kind: Kind, itemsize: int) -> None:
    """Add the modules General Image, Image Pixel and Segmentation Image (PS3.3, section C.8.20.2)."""
    bits = 1 if kind == "binary" else 8 * itemsize
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.PatientOrientation = None
    dataset.ContentLabel = "SEGMENTATION"
    dataset.ContentDescription = None
    dataset.ContentCreatorName = None
    dataset.BurnedInAnnotation = "NO"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelRepresentation = 0
    dataset.Rows, dataset.Columns = source.rows, source.columns
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    add_lossy_compression(dataset, source)
    dataset.SegmentationType = kind.upper()
    if kind == "fractional":
        dataset.SegmentationFractionalType = "PROBABILITY"
        dataset.MaximumFractionalValue = MAXIMUM_FRACTION
    if kind == "labelmap":
        dataset.PixelPaddingValue = 0
    else:
        dataset.SegmentsOverlap = "UNDEFINED"
