"""One finding in one frame as a measurement group: TID 1410 of PS3.16, Planar ROI Measurements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from napari_segcam.dicom_objects.algorithm import MANUFACTURER, Algorithm
from napari_segcam.dicom_objects.coded_entry import CodedEntry
from napari_segcam.dicom_objects.findings.reported_finding import ReportedFinding
from napari_segcam.dicom_objects.report import report_codes as codes
from napari_segcam.dicom_objects.report.report_codes import concept
from napari_segcam.dicom_objects.report.segment_places import SegmentPlaces
from napari_segcam.dicom_objects.source_images import FramePlace
from napari_segcam.dicom_objects.values import LONG_STRING, fitted

if TYPE_CHECKING:  # these come with an extra
    from highdicom.sr import (
        AlgorithmIdentification,
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        PlanarROIMeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
        TextContentItem,
    )
    from pydicom import Dataset

_UNCALIBRATED = "the image is not calibrated, so lengths and areas are in pixels; one is the width of a pixel"


def finding_group(
    finding: ReportedFinding, place: FramePlace, segments: SegmentPlaces | None, algorithm: Algorithm | None
) -> MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations:
    """Return the measurement group of a finding.

    It refers to the frame of the segmentation that holds the mask, and to the frame of the source. Without a
    segmentation it is a group of TID 1501, which refers to the source alone.

    Args:
        finding: to report.
        place: of its frame in the source.
        segments: of the segmentation; None if there is none.
        algorithm: the network; it is named unless a reader alone made the mask.
    """
    import highdicom.sr as sr

    if finding.origin == "reader":
        algorithm = None
    segment = None if segments is None else segments.segment_of(finding)
    common = {
        "tracking_identifier": sr.TrackingIdentifier(finding.tracking_uid, finding.tracking_id),
        "algorithm_id": None if algorithm is None else algorithm_identification(algorithm),
        "measurements": list(_measurements(finding)),
        "qualitative_evaluations": list(_evaluations(finding)),
        **_kind(finding.class_name, segment),
    }
    found = None if segments is None else segments.of(finding, place)
    if segments is None or found is None:
        frames = [place.frame] if place.is_multiframe else None
        image = sr.SourceImageForMeasurementGroup(place.header.SOPClassUID, place.header.SOPInstanceUID, frames)
        group = sr.MeasurementsAndQualitativeEvaluations(source_images=[image], **common)
    else:
        frames = [place.frame] if place.is_multiframe else None
        image = sr.SourceImageForSegmentation(place.header.SOPClassUID, place.header.SOPInstanceUID, frames)
        reference = sr.ReferencedSegmentationFrame(
            segments.segmentation.SOPClassUID,
            segments.segmentation.SOPInstanceUID,
            found.frame,
            found.segment,
            image,
        )
        # A frame of a segmentation belongs to a segment, so the standard allows no number of a segment beside it.
        del reference[0].ReferencedSOPSequence[0].ReferencedSegmentNumber
        group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_segment=reference, **common)
        group[0].ContentSequence.append(text_item(codes.COMMENT, f"The mask is segment {found.segment}."))
    for text in _comments(finding):
        group[0].ContentSequence.append(text_item(codes.COMMENT, text))
    for reason in finding.verdict.reasons if finding.verdict else ():
        group[0].ContentSequence.append(text_item(codes.REJECTION_REASON, reason))
    return group


def algorithm_identification(algorithm: Algorithm) -> AlgorithmIdentification:
    """Return who made a mask: name, version, and the SHA-256 of the weights in full."""
    import highdicom.sr as sr

    return sr.AlgorithmIdentification(
        algorithm.name,
        algorithm.version,
        parameters=[f"SHA-256 of the weights: {algorithm.sha256}", *algorithm.parameters],
        manufacturer=MANUFACTURER,
    )


def text_item(name: CodedEntry, text: str) -> TextContentItem:
    """Return a text as a content item."""
    import highdicom.sr as sr

    return sr.TextContentItem(concept(name), text, sr.RelationshipTypeValues.CONTAINS)


def _kind(class_name: str, segment: Dataset | None) -> dict[str, object]:
    """Return what a finding is, as the segmentation says it; without one, the name of its class."""
    import highdicom.sr as sr

    if segment is None:
        own = CodedEntry("class", codes.OWN_SCHEME, fitted(class_name, LONG_STRING))
        return {"finding_type": concept(own)}
    kind: dict[str, object] = {"finding_type": _copied(segment.SegmentedPropertyTypeCodeSequence[0])}
    if categories := segment.get("SegmentedPropertyCategoryCodeSequence"):
        kind["finding_category"] = _copied(categories[0])
    if regions := segment.get("AnatomicRegionSequence"):
        kind["finding_sites"] = [sr.FindingSite(_copied(regions[0]))]
    return kind


def _copied(item: Dataset) -> object:
    return concept(CodedEntry(str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning)))


def _measurements(finding: ReportedFinding) -> Iterator[Measurement]:
    size = finding.size
    is_calibrated = size.pixel_size.is_calibrated
    length = codes.MILLIMETER if is_calibrated else codes.PIXELS
    area = codes.SQUARE_MILLIMETER if is_calibrated else codes.SQUARE_PIXELS
    yield _measurement(codes.AREA, size.area, area)
    yield _measurement(codes.LONG_AXIS, size.longest.length, length)
    yield _measurement(codes.SHORT_AXIS, size.across.length, length)
    if finding.probability is not None:
        yield _measurement(codes.MEAN_PROBABILITY, finding.probability, codes.NO_UNITS, codes.MEAN)


def _measurement(name: CodedEntry, value: float, unit: CodedEntry, derivation: CodedEntry | None = None) -> Measurement:
    """Return a number with its unit; beside the decimal number of at most 16 characters, its exact value."""
    import highdicom.sr as sr

    measurement = sr.Measurement(
        concept(name),
        float(value),
        concept(unit),
        derivation=None if derivation is None else concept(derivation),
    )
    measurement[0].MeasuredValueSequence[0].FloatingPointValue = float(value)
    return measurement


def _evaluations(finding: ReportedFinding) -> Iterator[QualitativeEvaluation]:
    import highdicom.sr as sr

    yield sr.QualitativeEvaluation(concept(codes.MASK_ORIGIN), concept(codes.ORIGINS[finding.origin]))
    if finding.verdict is not None:
        is_on_finding = finding.verdict.about == "finding"
        name = codes.VERDICT_ON_FINDING if is_on_finding else codes.VERDICT_ON_MASK
        yield sr.QualitativeEvaluation(concept(name), concept(codes.VERDICTS[finding.verdict.value]))


def _comments(finding: ReportedFinding) -> Iterator[str]:
    """Yield what a reader should know of the numbers, each as a sentence."""
    notes = [*finding.size.notes, *finding.notes]
    if not finding.size.pixel_size.is_calibrated:
        notes.insert(0, _UNCALIBRATED)
    if finding.origin != "network":
        notes.insert(0, f"measured on the mask as a reader {'edited' if finding.origin == 'edited' else 'drew'} it")
    if finding.probability is None:
        notes.append(f"there is no mean probability: {finding.no_probability or 'none was computed'}")
    elif finding.origin == "edited":
        notes.append("the mean probability is the network's, over the edited mask")
    for note in notes:
        yield f"{note[0].upper()}{note[1:]}."
