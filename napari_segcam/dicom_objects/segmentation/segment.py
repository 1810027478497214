"""Segments: what a Segmentation marks in the frames, who drew it, and how DICOM describes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydicom import Dataset
from pydicom.uid import UID, generate_uid

from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.codes import ClassCodes, class_codes
from napari_segcam.dicom_objects.segmentation.colors import cielab_of
from napari_segcam.dicom_objects.values import SHORT_TEXT, fitted
from napari_segcam.errors import SegcamError

Origin = Literal["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"]

_LONGEST_LABEL = 64


EDITED = "Edited by a reader"
"""Frame Comments of a mask that a reader changed."""


@dataclass(frozen=True)
class Segment:
    """A class, or one finding of a class.

    Attributes:
        label: name of the class; with the finding, unique in its object.
        origin: whether a network drew it, a network and then a reader on at least one frame, or a reader alone.
        algorithm: the network; None if a reader alone drew it.
        finding: number of the finding, from 1, where each is a segment of its own.
        tracking_id: name of the thing that is followed from frame to frame and from object to object.
        tracking_uid: the same as a UID.
        edited_frames: numbers, from 0, of the frames that a reader changed.
        color: ``#rrggbb`` that viewers should use; by default it is left to them.
        codes: what it is; by default what its label says.
    """

    label: str
    origin: Origin = "AUTOMATIC"
    algorithm: Algorithm | None = None
    finding: int | None = None
    tracking_id: str | None = None
    tracking_uid: str | None = None
    edited_frames: tuple[int, ...] = ()
    color: str | None = None
    codes: ClassCodes | None = None

    @property
    def full_label(self) -> str:
        """The label with the number of the finding."""
        return self.label if self.finding is None else f"{self.label} {self.finding}"


def segment_items(segments: Sequence[Segment]) -> list[Dataset]:
    """Return the Segment Sequence (PS3.3, section C.8.20.4), in which segments count from 1.

    Raises:
        SegcamError: if there is no segment, two have one label, or one says that a network drew it but not which.
    """
    if not segments:
        raise SegcamError("A segmentation needs at least one segment.")
    labels = _unique_labels([segment.full_label for segment in segments])
    return [
        _segment_item(segment, label, number)
        for number, (segment, label) in enumerate(zip(segments, labels, strict=True), start=1)
    ]


def _segment_item(segment: Segment, label: str, number: int) -> Dataset:
    codes = segment.codes or class_codes(segment.label)
    item = Dataset()
    item.SegmentNumber = number
    item.SegmentLabel = label
    item.SegmentDescription = fitted(_description(segment), SHORT_TEXT)
    item.SegmentedPropertyCategoryCodeSequence = [codes.category.item()]
    item.SegmentedPropertyTypeCodeSequence = [codes.type.item()]
    if codes.region is not None:
        item.AnatomicRegionSequence = [codes.region.item()]
    item.SegmentAlgorithmType = segment.origin
    if segment.origin != "MANUAL":
        if segment.algorithm is None:
            raise SegcamError(f"The segment {label} was drawn by a network, but nothing says which.")
        item.SegmentAlgorithmName = fitted(segment.algorithm.name)
        item.SegmentationAlgorithmIdentificationSequence = [segment.algorithm.identification_item()]
    if segment.tracking_id or segment.tracking_uid:
        item.TrackingID = fitted(segment.tracking_id or segment.full_label)
        item.TrackingUID = UID(segment.tracking_uid) if segment.tracking_uid else generate_uid(prefix=None)
    if segment.color is not None:
        item.RecommendedDisplayCIELabValue = cielab_of(segment.color)
    return item


def _description(segment: Segment) -> str:
    """Return in words what the segment is, and which frames a reader changed."""
    parts = [f"Class {segment.label}"]
    if segment.finding is not None:
        parts.append(f"finding {segment.finding}")
    if segment.origin == "MANUAL":
        parts.append("drawn by a reader")
    elif segment.algorithm is not None:
        parts.append(f"found by {segment.algorithm.name}")
    if segment.edited_frames:
        numbers = in_ranges([number + 1 for number in segment.edited_frames])
        parts.append(f"edited by a reader on frame{'s' if len(segment.edited_frames) > 1 else ''} {numbers}")
    elif segment.origin == "SEMIAUTOMATIC":
        parts.append("edited by a reader")
    return ", ".join(parts)


def in_ranges(numbers: Sequence[int]) -> str:
    """Return numbers in words, such as "1, 3-7"."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)


def _unique_labels(labels: Sequence[str]) -> list[str]:
    """Return labels as DICOM allows them; those that are the same once they are cut get a number.

    Raises:
        SegcamError: if two are the same as they are.
    """
    if len(set(labels)) < len(labels):
        double = next(label for label in labels if labels.count(label) > 1)
        raise SegcamError(f"Two segments have the label {double}. Give each a label of its own.")
    short = [fitted(label) or "?" for label in labels]
    return [
        label if short.count(label) == 1 else f"{fitted(label, _LONGEST_LABEL - 4)} #{number}"
        for number, label in enumerate(short, start=1)
    ]
