"""Structured Report: the measured findings of a cine, by the template TID 1500 "Measurement Report" of PS3.16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from napari_segcam.dicom_objects.coded_entry import CodedEntry, own_coding_scheme
from napari_segcam.dicom_objects.findings.reported_finding import ReportedFinding
from napari_segcam.dicom_objects.new_object import RESEARCH_ONLY, new_object
from napari_segcam.dicom_objects.report import report_codes as codes
from napari_segcam.dicom_objects.report.blank_frames import blank_frames_group
from napari_segcam.dicom_objects.report.finding_group import finding_group, text_item
from napari_segcam.dicom_objects.report.observers import observation_context
from napari_segcam.dicom_objects.report.report_codes import concept
from napari_segcam.dicom_objects.report.segment_places import SegmentPlaces
from napari_segcam.errors import SegcamError
from napari_segcam.optional import needed

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataset import FileDataset

    from napari_segcam.dicom_objects.algorithm import Algorithm
    from napari_segcam.dicom_objects.source_images import SourceImages

COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
_ANY_ULTRASOUND = CodedEntry("25061-3", "LN", "US unspecified body region")


def check_reports() -> None:
    """Check that reports can be written.

    Raises:
        SegcamError: if the package for them is not installed.
    """
    needed("highdicom", "A DICOM report is made by highdicom", extra="dicom")


def structured_report(
    source: SourceImages,
    findings: Sequence[ReportedFinding],
    *,
    examined: Mapping[str, Sequence[int]],
    algorithm: Algorithm | None,
    segmentation: Dataset | None = None,
    reader: str = "",
    notes: Sequence[str] = (),
    series_uid: str | None = None,
) -> FileDataset:
    """Return a report of findings as a Comprehensive SR.

    Each finding in each frame is a measurement group with its area, long and short axis, mean probability, the
    reader's verdict, and references to the frame of the segmentation and to that of the source. Frames in which a
    class was not found are named too.

    Args:
        source: the images.
        findings: of all frames, in the order of the report.
        examined: for each class that was looked for, the numbers of the frames, from 0.
        algorithm: the network; None where readers made all masks.
        segmentation: that holds the masks; None if there is none.
        reader: name of who judged or edited masks, as typed; empty if nobody did, or it is not known.
        notes: on the whole report, as sentences.
        series_uid: of the series that it joins; by default it begins one.

    Raises:
        SegcamError: if nothing was examined, or the package for reports is missing.
    """
    check_reports()
    import highdicom.sr as sr

    if not any(examined.values()):
        raise SegcamError("There is nothing to report: no frame was examined.")
    segments = None if segmentation is None else SegmentPlaces(segmentation)
    groups = [finding_group(finding, source.place(finding.frame), segments, algorithm) for finding in findings]
    found = {(finding.class_name, finding.frame) for finding in findings}
    for class_name, frames in examined.items():
        if blank := [frame for frame in frames if (class_name, frame) not in found]:
            groups.append(blank_frames_group(source, class_name, blank, algorithm))
    report = sr.MeasurementReport(
        observation_context=observation_context(reader),
        procedure_reported=concept(_procedure(source)),
        imaging_measurements=groups,
    )
    root = report[0]
    for note in (f"{RESEARCH_ONLY}.", *notes):
        root.ContentSequence.append(text_item(codes.COMMENT, note))
    examined_frames = sorted({frame for frames in examined.values() for frame in frames})
    dataset = new_object(
        source,
        COMPREHENSIVE_SR,
        modality="SR",
        series_description="Findings",
        algorithm=algorithm,
        series_uid=series_uid,
        frames=examined_frames,
    )
    _add_document(dataset, root, segmentation)
    return dataset


def _procedure(source: SourceImages) -> CodedEntry:
    """Return the procedure that the source names, else ultrasound of any region."""
    items = source.first.get("ProcedureCodeSequence") or ()
    for item in items:
        values = [str(item.get(keyword) or "") for keyword in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")]
        if all(values):
            return CodedEntry(*values)
    return _ANY_ULTRASOUND


def _add_document(dataset: FileDataset, root: Dataset, segmentation: Dataset | None) -> None:
    """Add the modules SR Document General and SR Document Content, with the images that the content refers to."""
    from pydicom import Dataset
    from pydicom.sequence import Sequence as Items

    references = list(dataset.ReferencedSeriesSequence)
    del dataset.ReferencedSeriesSequence
    series = []
    for reference in references:
        item = Dataset()
        item.SeriesInstanceUID = reference.SeriesInstanceUID
        item.ReferencedSOPSequence = reference.ReferencedInstanceSequence
        series.append(item)
    if segmentation is not None:
        instance = Dataset()
        instance.ReferencedSOPClassUID = segmentation.SOPClassUID
        instance.ReferencedSOPInstanceUID = segmentation.SOPInstanceUID
        item = Dataset()
        item.SeriesInstanceUID = segmentation.SeriesInstanceUID
        item.ReferencedSOPSequence = [instance]
        series.append(item)
    evidence = Dataset()
    evidence.StudyInstanceUID = dataset.StudyInstanceUID
    evidence.ReferencedSeriesSequence = series
    dataset.CurrentRequestedProcedureEvidenceSequence = [evidence]
    dataset.CodingSchemeIdentificationSequence = [own_coding_scheme()]
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PreliminaryFlag = "PRELIMINARY"
    dataset.PerformedProcedureCodeSequence = Items()
    dataset.ReferencedPerformedProcedureStepSequence = Items()
    for element in root:
        dataset.add(element)
