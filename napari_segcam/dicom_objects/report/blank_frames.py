"""Frames that were examined and show no finding of a class, as a measurement group (TID 1501 of PS3.16)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.new_object import source_references
from napari_segcam.dicom_objects.report import report_codes as codes
from napari_segcam.dicom_objects.report.finding_group import algorithm_identification, text_item
from napari_segcam.dicom_objects.report.report_codes import concept
from napari_segcam.dicom_objects.source_images import SourceImages

if TYPE_CHECKING:  # it comes with an extra
    from highdicom.sr import MeasurementsAndQualitativeEvaluations


def blank_frames_group(
    source: SourceImages, class_name: str, frames: Sequence[int], algorithm: Algorithm | None
) -> MeasurementsAndQualitativeEvaluations:
    """Return the group that says in which examined frames a class was not found.

    Args:
        source: the images.
        class_name: the class that was looked for.
        frames: numbers of the cine's frames without it, from 0.
        algorithm: that looked; None if a reader did.
    """
    import highdicom.sr as sr
    from pydicom.uid import generate_uid

    images = [
        sr.SourceImageForMeasurementGroup(
            reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID, _frame_numbers(reference)
        )
        for reference in source_references(source, frames)
    ]
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            str(generate_uid(prefix=None)), f"{class_name}, frames without a finding"
        ),
        algorithm_id=None if algorithm is None else algorithm_identification(algorithm),
        source_images=images,
        qualitative_evaluations=[sr.QualitativeEvaluation(concept(codes.FINDING_PRESENCE), concept(codes.ABSENT))],
    )
    count = f"{len(frames)} examined frame{'s' * (len(frames) != 1)}"
    group[0].ContentSequence.append(text_item(codes.COMMENT, f"No {class_name} was found in {count}."))
    return group


def _frame_numbers(reference: object) -> list[int] | None:
    numbers = reference.get("ReferencedFrameNumber")  # type: ignore[attr-defined]
    if numbers is None:
        return None
    return [int(number) for number in numbers] if not isinstance(numbers, (int, str)) else [int(numbers)]
