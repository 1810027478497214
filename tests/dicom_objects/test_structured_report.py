"""Structured reports: what they say is what was measured, read back by highdicom and by pydicom alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import SegmentationStorage, generate_uid

from dicom_objects.made_sources import SOURCES
from dicom_objects.validators import dciodvfy_errors, dciodvfy_warnings, validator_errors
from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.findings.measured_mask import MeasuredMask
from napari_segcam.dicom_objects.findings.reported_finding import ReaderVerdict, ReportedFinding
from napari_segcam.dicom_objects.new_object import new_object, save_object
from napari_segcam.dicom_objects.report.observers import person_name
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.dicom_objects.structured_report import structured_report
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine

pytest.importorskip("highdicom")

ALGORITHM = Algorithm("fibroids.pth", "ab" * 32, ("architecture Unet", "threshold 0.5"))
Item = Dataset


def source_of(kind: str, folder: Path) -> SourceImages:
    return SourceImages.of(open_cine(SOURCES[kind](folder)))


def finding_in(source: SourceImages, frame: int, **more: object) -> ReportedFinding:
    """Return a finding of an uneven shape."""
    mask = np.zeros((source.rows, source.columns), np.bool_)
    mask[20 : 41 + frame, 30:51] = True
    mask[25:30, 51:60] = True
    probabilities = np.random.default_rng(frame).random(mask.shape, np.float32)
    measured = MeasuredMask.of(mask, source.spacing_mm, 1.0, probabilities)
    values: dict[str, object] = {
        "tracking_id": "fibroid 1",
        "tracking_uid": "1.2.3.4",
        "probability": measured.probabilities[1],
    }
    return ReportedFinding(frame, "fibroid", 1, measured.sizes[1], **(values | more))  # type: ignore[arg-type]


def segmentation_of(source: SourceImages, frames: list[int]) -> Dataset:
    """Return what a report needs of a segmentation with two segments, each frame for each of them."""
    dataset = new_object(source, SegmentationStorage, modality="SEG", series_description="Masks")
    segments, groups = [], []
    for number, label in enumerate(("uterus", "fibroid"), start=1):
        segment, kind, category = Dataset(), Dataset(), Dataset()
        segment.SegmentNumber, segment.SegmentLabel = number, label
        kind.CodeValue, kind.CodingSchemeDesignator, kind.CodeMeaning = "1162890002", "SCT", "Leiomyoma"
        category.CodeValue, category.CodingSchemeDesignator = "49755003", "SCT"
        category.CodeMeaning = "Morphologically Abnormal Structure"
        segment.SegmentedPropertyTypeCodeSequence = [kind]
        segment.SegmentedPropertyCategoryCodeSequence = [category]
        segments.append(segment)
    for frame in frames:
        place = source.place(frame)
        for segment in segments:
            group, derivation, image, identification = Dataset(), Dataset(), Dataset(), Dataset()
            image.ReferencedSOPClassUID = place.header.SOPClassUID
            image.ReferencedSOPInstanceUID = place.header.SOPInstanceUID
            if place.is_multiframe:
                image.ReferencedFrameNumber = place.frame
            derivation.SourceImageSequence = [image]
            identification.ReferencedSegmentNumber = segment.SegmentNumber
            group.DerivationImageSequence, group.SegmentIdentificationSequence = [derivation], [identification]
            groups.append(group)
    dataset.SegmentSequence, dataset.PerFrameFunctionalGroupsSequence = segments, groups
    return dataset


def saved(report: Dataset, folder: Path) -> Path:
    path = folder / "report.dcm"
    save_object(report, path)  # type: ignore[arg-type]
    return path


def items(parent: Item, code: str) -> list[Item]:
    """Return the content items with a code as their name, directly under a parent."""
    return [item for item in parent.get("ContentSequence", ()) if item.ConceptNameCodeSequence[0].CodeValue == code]


def groups_of(report: Dataset) -> list[Item]:
    (measurements,) = items(report, "126010")
    return items(measurements, "125007")


def walk(parent: Item) -> Iterator[Item]:
    for item in parent.get("ContentSequence", ()):
        yield item
        yield from walk(item)


def texts(parent: Item) -> str:
    return " | ".join(str(item.TextValue) for item in walk(parent) if "TextValue" in item)


def number(group: Item, code: str) -> tuple[float, float, str]:
    """Return the exact value, the one in decimals, and the unit."""
    (item,) = items(group, code)
    value = item.MeasuredValueSequence[0]
    return value.FloatingPointValue, float(value.NumericValue), value.MeasurementUnitsCodeSequence[0].CodeValue


@pytest.mark.parametrize("kind", SOURCES)
def test_a_report_of_every_source_is_valid(kind: str, tmp_path: Path) -> None:
    source = source_of(kind, tmp_path)
    frames = list(range(source.frame_count))
    found = [finding_in(source, frame) for frame in frames[:2]]
    report = structured_report(
        source,
        found,
        examined={"fibroid": frames, "uterus": frames},
        algorithm=ALGORITHM,
        segmentation=segmentation_of(source, frames),
        reader="Jane Doe",
    )
    path = saved(report, tmp_path)
    assert dciodvfy_errors(path) == []
    assert validator_errors(path) == []
    assert {line for line in dciodvfy_warnings(path) if "99SEGCAM" not in line} == set()
    header, read = source.first, dcmread(path)
    assert (read.PatientName, read.PatientID) == (header.PatientName, header.PatientID)
    assert read.StudyInstanceUID == header.StudyInstanceUID
    assert read.SeriesInstanceUID not in source.series_uids


@pytest.mark.parametrize("kind", ["gray_cine", "anisotropic_cine", "uncalibrated_cine", "folder_of_stills"])
def test_numbers_are_those_that_were_measured(kind: str, tmp_path: Path) -> None:
    source = source_of(kind, tmp_path)
    found = [finding_in(source, frame) for frame in (0, 2)]
    report = structured_report(source, found, examined={"fibroid": range(3)}, algorithm=ALGORITHM)
    groups = groups_of(dcmread(saved(report, tmp_path)))
    calibrated = kind != "uncalibrated_cine"
    for finding, group in zip(found, groups, strict=False):
        area, rounded, unit = number(group, "42798000")
        assert area == finding.size.area
        assert rounded == pytest.approx(area, rel=1e-12)
        assert unit == ("mm2" if calibrated else "{square_pixels}")
        long, _, unit = number(group, "103339001")
        short, _, _ = number(group, "103340004")
        assert (long, short) == (finding.size.longest.length, finding.size.across.length)
        assert long >= short
        assert unit == ("mm" if calibrated else "{pixels}")
        assert number(group, "mean_probability")[0] == finding.probability
        assert ("not calibrated" in texts(group)) is not calibrated
    (blank,) = groups[2:]
    assert [item.ConceptCodeSequence[0].CodeValue for item in items(blank, "finding")] == ["272519000"]
    (image,) = items(blank, "121112")
    place = source.place(1)
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == place.header.SOPInstanceUID
    assert image.ReferencedSOPSequence[0].get("ReferencedFrameNumber") == (2 if place.is_multiframe else None)


def test_highdicom_reads_the_same(tmp_path: Path) -> None:
    import highdicom.sr as sr

    source = source_of("anisotropic_cine", tmp_path)
    found = [finding_in(source, frame) for frame in (0, 3)]
    segments = segmentation_of(source, [0, 1, 2, 3])
    report = structured_report(
        source, found, examined={"fibroid": range(4)}, algorithm=ALGORITHM, segmentation=segments
    )
    content = sr.srread(saved(report, tmp_path)).content
    groups = content.get_planar_roi_measurement_groups()
    assert len(groups) == 2
    for finding, group in zip(found, groups, strict=True):
        assert (group.tracking_identifier, group.tracking_uid) == ("fibroid 1", "1.2.3.4")
        assert group.finding_type.meaning == "Leiomyoma"
        assert group.get_measurements(name=sr.CodedConcept("42798000", "SCT", "Area"))[0].value == pytest.approx(
            finding.size.area
        )
        reference = group.referenced_segmentation_frame
        assert reference.referenced_sop_instance_uid == segments.SOPInstanceUID
        assert reference.referenced_frame_numbers == [2 * finding.frame + 2]  # each frame has both segments
        origin = reference.source_image_for_segmentation
        assert origin.referenced_sop_instance_uid == source.first.SOPInstanceUID
        assert origin.referenced_frame_numbers == [finding.frame + 1]
        assert "segment 2" in texts(group[0])
    evidence = {instance for _, _, instance, _ in sr.srread(saved(report, tmp_path)).get_evidence()}
    assert evidence == {source.first.SOPInstanceUID, segments.SOPInstanceUID}


def test_the_network_and_the_observers_are_named(tmp_path: Path) -> None:
    source = source_of("still", tmp_path)
    report = structured_report(
        source, [finding_in(source, 0)], examined={"fibroid": [0]}, algorithm=ALGORITHM, reader="Łukasz 山田"
    )
    read = dcmread(saved(report, tmp_path))
    (group,) = groups_of(read)
    assert "ab" * 32 in texts(group)
    assert [str(item.TextValue) for item in items(group, "111001")] == ["fibroids.pth"]
    assert [str(item.TextValue) for item in items(group, "111003")] == ["ab" * 6]
    (person,) = items(read, "121008")
    assert person.PersonName == "Łukasz 山田^"
    (device,) = items(read, "121013")
    assert device.TextValue == "napari-segcam"
    assert "not for diagnostic use" in texts(read)
    assert read.VerificationFlag == "UNVERIFIED"
    (scheme,) = read.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == "99SEGCAM"


def test_verdicts_and_edited_masks_are_said(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    found = [
        finding_in(source, 0, verdict=ReaderVerdict("reject", ("too large",), "finding")),
        finding_in(source, 1, origin="edited", verdict=ReaderVerdict("correct")),
        finding_in(source, 2, origin="reader", probability=None, no_probability="the network has no such class"),
    ]
    report = structured_report(source, found, examined={"fibroid": range(3)}, algorithm=ALGORITHM)
    rejected, edited, drawn = groups_of(dcmread(saved(report, tmp_path)))

    def codes(group: Item, name: str) -> list[str]:
        return [item.ConceptCodeSequence[0].CodeValue for item in items(group, name)]

    assert codes(rejected, "verdict_finding") == ["reject"]
    assert codes(rejected, "mask_origin") == ["by_network"]
    assert "too large" in texts(rejected)
    assert codes(edited, "verdict_mask") == ["correct"]
    assert codes(edited, "mask_origin") == ["edited"]
    assert "as a reader edited it" in texts(edited)
    assert "the network's, over the edited mask" in texts(edited)
    assert codes(drawn, "mask_origin") == ["drawn"]
    assert not items(drawn, "mean_probability")
    assert "the network has no such class" in texts(drawn)
    assert not items(drawn, "111001"), "no network drew it"


def test_nothing_examined_is_refused(tmp_path: Path) -> None:
    source = source_of("still", tmp_path)
    with pytest.raises(SegcamError, match="no frame was examined"):
        structured_report(source, [], examined={"fibroid": []}, algorithm=ALGORITHM)


def test_frames_without_a_finding_alone_are_a_report(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    report = structured_report(source, [], examined={"fibroid": range(6)}, algorithm=ALGORITHM)
    path = saved(report, tmp_path)
    (group,) = groups_of(dcmread(path))
    (image,) = items(group, "121112")
    assert list(image.ReferencedSOPSequence[0].ReferencedFrameNumber) == [1, 2, 3, 4, 5, 6]
    assert "No fibroid was found in 6 examined frames." in texts(group)
    assert dciodvfy_errors(path) == []


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Jane Doe", "Jane Doe^"),
        ("Doe^Jane", "Doe Jane^"),
        (" \\a=b\n", "a b^"),
        ("", ""),
        ("x" * 100, "x" * 63 + "^"),
        ("山田 太郎", "山田 太郎^"),
    ],
)
def test_names_as_typed_become_names_of_dicom(typed: str, name: str) -> None:
    assert person_name(typed) == name


def test_odd_names_do_not_break_a_report(tmp_path: Path) -> None:
    source = source_of("still", tmp_path)
    name = "mass, \\ left;\n" + "very " * 40 + "long 腫瘤"
    odd = Algorithm("x\\y" * 40 + ".pth", "cd" * 32, ("a" * 3000, "b\\c"))
    finding = finding_in(source, 0, tracking_uid=str(generate_uid()))
    finding = ReportedFinding(**{**vars(finding), "class_name": name, "tracking_id": f"{name} 1"})
    report = structured_report(source, [finding], examined={name: [0]}, algorithm=odd)
    path = saved(report, tmp_path)
    assert dciodvfy_errors(path) == []
    assert "腫瘤" in texts(dcmread(path))
