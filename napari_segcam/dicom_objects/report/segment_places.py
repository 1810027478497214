"""Where a segmentation object holds the mask of a class in a frame, so that a report can refer to it."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

from napari_segcam.dicom_objects.findings.reported_finding import ReportedFinding
from napari_segcam.dicom_objects.source_images import FramePlace
from napari_segcam.dicom_objects.values import fitted

_Frame = tuple[str, int]


@dataclass(frozen=True)
class SegmentPlace:
    """A frame of a segmentation object, counted from 1, and a segment in it."""

    frame: int
    segment: int


class SegmentPlaces:
    """The frames and segments of a segmentation object.

    Args:
        segmentation: with one frame for each frame of the source, or for each segment in it.
    """

    def __init__(self, segmentation: Dataset) -> None:
        self.segmentation = segmentation
        self._by_uid: dict[str, int] = {}
        self._by_label: dict[str, int] = {}
        self._segments: dict[int, Dataset] = {}
        for segment in segmentation.SegmentSequence:
            number = int(segment.SegmentNumber)
            self._segments[number] = segment
            self._by_label[str(segment.SegmentLabel)] = number
            if uid := segment.get("TrackingUID"):
                self._by_uid[str(uid)] = number
        self._frames: dict[tuple[_Frame, int | None], int] = {}
        for frame, groups in enumerate(segmentation.PerFrameFunctionalGroupsSequence, start=1):
            identification = groups.get("SegmentIdentificationSequence")
            segment_number = int(identification[0].ReferencedSegmentNumber) if identification else None
            for image in _source_images(groups):
                numbers = image.get("ReferencedFrameNumber") or 1
                for source_frame in [numbers] if isinstance(numbers, (int, str)) else numbers:
                    key = (str(image.ReferencedSOPInstanceUID), int(source_frame))
                    self._frames[key, segment_number] = frame

    def segment_of(self, finding: ReportedFinding) -> Dataset | None:
        """Return the item that describes the segment of a finding; None if the object has none for it."""
        number = self._number_of(finding)
        return None if number is None else self._segments[number]

    def of(self, finding: ReportedFinding, place: FramePlace) -> SegmentPlace | None:
        """Return where the mask of a finding is; None if the object does not hold it.

        Args:
            finding: of a frame.
            place: of that frame in the source.
        """
        number = self._number_of(finding)
        key = (str(place.header.SOPInstanceUID), place.frame)
        frame = self._frames.get((key, number)) or self._frames.get((key, None))
        return None if number is None or frame is None else SegmentPlace(frame, number)

    def _number_of(self, finding: ReportedFinding) -> int | None:
        return self._by_uid.get(finding.tracking_uid, self._by_label.get(fitted(finding.class_name)))


def _source_images(groups: Dataset) -> list[Dataset]:
    return [
        image
        for derivation in groups.get("DerivationImageSequence") or ()
        for image in derivation.get("SourceImageSequence") or ()
    ]
