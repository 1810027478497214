"""Functional groups: which frame of the source, and which segment, each frame of a Segmentation is about."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from napari_segcam.dicom_objects.coded_entry import SEGMENTATION
from napari_segcam.dicom_objects.new_object import derivation_item
from napari_segcam.dicom_objects.segmentation.segment import EDITED
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.imaging.dicom.calibration import are_slices

_STACK = "1"
# Thickness of a plane: that of the beam is not known, programs such as highdicom read no spacing without one, and zero
# is not valid. It is so small that no volume that looks right can follow from it.
_PLANE_MM = "0.001"


def add_dimensions(dataset: Dataset, source: SourceImages, *, by_segment: bool) -> None:
    """Add the Multi-frame Dimension module (PS3.3, section C.7.6.17): frames count by segment, then by moment.

    Args:
        dataset: the Segmentation.
        source: whose frames are moments in time, or slices.
        by_segment: whether each frame is about one segment.
    """
    organization = Dataset()
    organization.DimensionOrganizationUID = generate_uid(prefix=None)
    dataset.DimensionOrganizationSequence = [organization]
    position = "InStackPositionNumber" if _has_slices(source) else "TemporalPositionIndex"
    pointers = [(position, "FrameContentSequence")]
    if by_segment:
        pointers.insert(0, ("ReferencedSegmentNumber", "SegmentIdentificationSequence"))
    dataset.DimensionIndexSequence = []
    for keyword, group in pointers:
        item = Dataset()
        item.DimensionOrganizationUID = organization.DimensionOrganizationUID
        item.DimensionIndexPointer, item.FunctionalGroupPointer = Tag(keyword), Tag(group)
        item.DimensionDescriptionLabel = keyword
        dataset.DimensionIndexSequence.append(item)


def shared_group(source: SourceImages) -> Dataset:
    """Return the functional groups of all frames: the pixel spacing, where it is known."""
    group = Dataset()
    if source.spacing_mm is not None:
        measures = Dataset()
        measures.PixelSpacing = [_decimal(distance) for distance in source.spacing_mm]
        measures.SliceThickness = _PLANE_MM
        group.PixelMeasuresSequence = [measures]
    return group


def frame_group(source: SourceImages, number: int, segment: int | None, *, is_edited: bool = False) -> Dataset:
    """Return the functional groups of one frame.

    Args:
        source: the images.
        number: of the frame of the cine, from 0.
        segment: number of the segment, from 1; None in a label map.
        is_edited: whether a reader changed the mask.
    """
    group, content = Dataset(), Dataset()
    content.DimensionIndexValues = [number + 1] if segment is None else [segment, number + 1]
    content.StackID = _STACK
    if is_edited:
        content.FrameComments = EDITED
    if _has_slices(source):
        content.InStackPositionNumber = number + 1
    else:
        content.InStackPositionNumber = 1
        content.TemporalPositionIndex = number + 1
    group.FrameContentSequence = [content]
    if segment is not None:
        identification = Dataset()
        identification.ReferencedSegmentNumber = segment
        group.SegmentIdentificationSequence = [identification]
    group.DerivationImageSequence = [derivation_item(source, [number], SEGMENTATION, "Segmentation of this frame")]
    return group


def _has_slices(source: SourceImages) -> bool:
    return len(source.headers) == 1 and are_slices(source.first)


def _decimal(distance: float) -> str:
    """Return a distance as a decimal string, which has at most 16 characters."""
    return next(text for digits in range(15, 0, -1) if len(text := f"{distance:.{digits}g}") <= 16)
