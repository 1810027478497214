"""New DICOM objects belong to the patient and study of their source, in a series of their own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    SegmentationStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from napari_segcam.dicom_objects.algorithm import Algorithm
from napari_segcam.dicom_objects.coded_entry import SEGMENTATION
from napari_segcam.dicom_objects.new_object import derivation_item, new_object, save_object, source_references
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.dicom_objects.values import fitted, is_valid
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.imaging.opening import open_cine

STUDY, SERIES = generate_uid(), generate_uid()


def write_image(path: Path, frames: int | None = None, **elements: Any) -> Path:
    """Write a gray still, or a cine of some frames; None as a value leaves the element out."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID = UltrasoundImageStorage if frames is None else UltrasoundMultiFrameImageStorage
    header.SOPInstanceUID = generate_uid()
    header.StudyInstanceUID, header.SeriesInstanceUID = STUDY, SERIES
    header.PatientID, header.PatientName, header.Modality = "P1", "Doe^Jane", "US"
    header.Rows, header.Columns, header.SamplesPerPixel = 8, 10, 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 8, 8, 7, 0
    if frames is not None:
        header.NumberOfFrames = frames
    for keyword, value in elements.items():
        if value is None:
            delattr(header, keyword)
        else:
            setattr(header, keyword, value)
    header.PixelData = bytes((frames or 1) * int(header.Rows) * int(header.Columns))
    header["PixelData"].VR = "OB"
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)
    return path


def source_of(path: Path) -> SourceImages:
    return SourceImages.of(open_cine(path))


def made(source: SourceImages, **options: Any) -> Any:
    return new_object(source, SegmentationStorage, modality="SEG", series_description="Masks", **options)


class TestSource:
    def test_frames_of_a_cine(self, tmp_path: Path) -> None:
        source = source_of(write_image(tmp_path / "a.dcm", 3))
        assert [source.place(number).frame for number in range(3)] == [1, 2, 3]
        assert source.place(2).is_multiframe
        assert source.numbers_of(source.first.SOPInstanceUID) == range(3)
        assert source.numbers_of(generate_uid()) is None
        with pytest.raises(IndexError):
            source.place(3)

    def test_frames_of_a_folder(self, tmp_path: Path) -> None:
        paths = [write_image(tmp_path / f"{name}.dcm", InstanceNumber=number) for name, number in (("b", 1), ("a", 2))]
        source = source_of(tmp_path)
        uids = [dcmread(path).SOPInstanceUID for path in paths]  # by instance number, not by name
        assert [source.place(number).header.SOPInstanceUID for number in range(2)] == uids
        assert [source.place(number).frame for number in range(2)] == [1, 1]
        assert not source.place(0).is_multiframe
        assert source.numbers_of(uids[1]) == range(1, 2)

    @pytest.mark.parametrize(
        ("sop_class", "count", "is_multiframe"),
        [(UltrasoundImageStorage, 1, False), (UltrasoundMultiFrameImageStorage, 1, True)],
    )
    def test_a_single_image_that_counts_its_frame(
        self, sop_class: str, count: int, is_multiframe: bool, tmp_path: Path
    ) -> None:
        source = source_of(write_image(tmp_path / "a.dcm", count, SOPClassUID=sop_class))
        assert source.place(0).is_multiframe is is_multiframe
        [reference] = source_references(source, [0])
        assert ("ReferencedFrameNumber" in reference) is is_multiframe

    def test_what_is_no_file_is_refused(self) -> None:
        with pytest.raises(SegcamError, match="DICOM"):
            SourceImages.of(ArrayCine(np.zeros((3, 8, 10), np.uint8)))

    def test_another_kind_of_file_is_refused(self, tmp_path: Path) -> None:
        from PIL import Image

        Image.fromarray(np.zeros((8, 10), np.uint8)).save(tmp_path / "a.png")
        with pytest.raises(SegcamError, match=r"a\.png is not a DICOM file.*no patient"):
            source_of(tmp_path / "a.png")

    @pytest.mark.parametrize(
        ("elements", "word"),
        [
            ({"PatientID": "P2"}, "patients"),
            ({"PatientID": ""}, "patients"),
            ({"PatientName": "Doe^John"}, "patients"),
            ({"PatientBirthDate": "19800102"}, "patients"),
            ({"StudyInstanceUID": generate_uid()}, "studies"),
        ],
    )
    def test_images_that_do_not_belong_together_are_refused(
        self, tmp_path: Path, elements: dict[str, str], word: str
    ) -> None:
        write_image(tmp_path / "a.dcm", PatientBirthDate="19800101")
        write_image(tmp_path / "b.dcm", **{"PatientBirthDate": "19800101", **elements})
        with pytest.raises(SegcamError, match=f"several {word}") as refusal:
            source_of(tmp_path)
        assert "Doe" not in str(refusal.value)

    def test_spelling_makes_no_other_patient(self, tmp_path: Path) -> None:
        write_image(tmp_path / "a.dcm", PatientName="DOE^JANE^^", PatientBirthDate="19800101")
        write_image(tmp_path / "b.dcm")
        assert source_of(tmp_path).frame_count == 2

    @pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"])
    @pytest.mark.parametrize("value", [None, "", "1.2.03", "1..2", "abc"])
    def test_images_without_identifiers_are_refused(self, tmp_path: Path, keyword: str, value: str | None) -> None:
        path = write_image(tmp_path / "a.dcm")
        header = dcmread(path)
        header.pop(keyword)
        if value is not None:
            setattr(header, keyword, value)
        header.save_as(path)
        with pytest.raises(SegcamError, match=keyword):
            source_of(path)

    def test_two_copies_of_an_instance_are_refused(self, tmp_path: Path) -> None:
        path = write_image(tmp_path / "a.dcm")
        (tmp_path / "b.dcm").write_bytes(path.read_bytes())
        with pytest.raises(SegcamError, match="same SOPInstanceUID"):
            source_of(tmp_path)

    def test_a_file_that_changed_is_refused(self, tmp_path: Path) -> None:
        cine = open_cine(write_image(tmp_path / "a.dcm", 3))
        write_image(tmp_path / "a.dcm", 3, Rows=4, Columns=20)
        with pytest.raises(SegcamError, match="has changed"):
            SourceImages.of(cine)


class TestIdentity:
    def test_patient_and_study_are_the_source_s(self, tmp_path: Path) -> None:
        given = {
            "PatientBirthDate": "19800101",
            "PatientSex": "F",
            "StudyDate": "20260102",
            "StudyTime": "101500",
            "AccessionNumber": "A1",
            "StudyID": "S1",
            "StudyDescription": "Pelvis",
            "ReferringPhysicianName": "Roe^Rick",
            "IssuerOfPatientID": "Clinic",
        }
        source = source_of(write_image(tmp_path / "a.dcm", 2, **given))
        new = made(source)
        assert {keyword: str(new.get(keyword)) for keyword in given} == given
        assert (new.PatientID, new.PatientName, new.StudyInstanceUID) == ("P1", "Doe^Jane", STUDY)

    def test_the_series_and_the_object_are_new(self, tmp_path: Path) -> None:
        source = source_of(write_image(tmp_path / "a.dcm", 2))
        one, two = made(source), made(source)
        uids = {new.get(key) for new in (one, two) for key in ("SeriesInstanceUID", "SOPInstanceUID")}
        assert len(uids) == 4
        assert not uids & {SERIES, STUDY, source.first.SOPInstanceUID}
        assert made(source, series_uid=str(one.SeriesInstanceUID)).SeriesInstanceUID == one.SeriesInstanceUID

    @pytest.mark.parametrize(
        ("charset", "name"),
        [
            ("ISO_IR 100", "Müller^Zoë"),
            ("ISO_IR 144", "Люкceмбypг"),
            ("ISO_IR 192", "王^小東"),
            (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
            (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ],
    )
    def test_names_of_every_character_set_become_unicode(self, tmp_path: Path, charset: Any, name: str) -> None:
        path = write_image(tmp_path / "a.dcm", SpecificCharacterSet=charset, PatientName=name, StudyDescription="ok")
        save_object(made(source_of(path)), tmp_path / "new.dcm")
        assert dcmread(tmp_path / "new.dcm").PatientName == name
        assert name.encode() in (tmp_path / "new.dcm").read_bytes()

    def test_a_name_that_cannot_be_read_is_refused(self, tmp_path: Path) -> None:
        path = write_image(tmp_path / "a.dcm", SpecificCharacterSet="ISO_IR 192", PatientName="Xxxx^Jane")
        path.write_bytes(path.read_bytes().replace(b"Xxxx", b"M\xfcxx"))
        with pytest.warns(UserWarning, match="decod"), pytest.raises(SegcamError, match="character set"):
            made(source_of(path))

    def test_values_that_break_their_type_are_left_out(self, tmp_path: Path) -> None:
        path = write_image(tmp_path / "a.dcm", StudyDate="20260102", PatientAge="040Y", StudyDescription="Fine")
        path.write_bytes(path.read_bytes().replace(b"20260102", b"soon----").replace(b"040Y", b"old!"))
        new = made(source_of(path))
        assert new["StudyDate"].is_empty
        assert "PatientAge" not in new
        assert new.StudyDescription == "Fine"

    def test_times_are_in_the_zone_of_the_study(self, tmp_path: Path) -> None:
        one = made(source_of(write_image(tmp_path / "a.dcm", TimezoneOffsetFromUTC="+1300")))
        two = made(source_of(write_image(tmp_path / "b.dcm", TimezoneOffsetFromUTC="-1000")))
        assert (one.ContentDate, two.TimezoneOffsetFromUTC) > (two.ContentDate, "")

    def test_the_network_is_named_with_its_checksum(self, tmp_path: Path) -> None:
        sha256 = hashlib.sha256(b"weights").hexdigest()
        algorithm = Algorithm.of_provenance({"checkpoint": "a.pt", "sha256": sha256, "threshold": 0.5})
        new = made(source_of(write_image(tmp_path / "a.dcm")), algorithm=algorithm)
        save_object(new, tmp_path / "new.dcm")
        (equipment,) = dcmread(tmp_path / "new.dcm").ContributingEquipmentSequence
        assert equipment.SoftwareVersions == sha256
        assert equipment.ManufacturerModelName == "a.pt"
        item = algorithm.identification_item()
        assert sha256 in item.AlgorithmParameters
        assert sha256.startswith(item.AlgorithmVersion)


class TestReferences:
    def test_frames_of_a_cine_are_numbered_from_one(self, tmp_path: Path) -> None:
        source = source_of(write_image(tmp_path / "a.dcm", 3))
        (item,) = source_references(source, [0, 2])
        assert item.ReferencedFrameNumber == [1, 3]
        assert item.ReferencedSOPInstanceUID == source.first.SOPInstanceUID
        assert "PurposeOfReferenceCodeSequence" not in item

    def test_stills_have_no_frame_number(self, tmp_path: Path) -> None:
        for number in (1, 2):
            write_image(tmp_path / f"{number}.dcm", InstanceNumber=number)
        source = source_of(tmp_path)
        items = source_references(source, [1])
        assert [item.ReferencedSOPInstanceUID for item in items] == [source.headers[1].SOPInstanceUID]
        assert "ReferencedFrameNumber" not in items[0]
        series = made(source, frames=[0]).ReferencedSeriesSequence[0]
        assert series.SeriesInstanceUID == SERIES
        assert [item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence] == [
            source.headers[0].SOPInstanceUID
        ]

    def test_a_derivation_names_its_kind(self, tmp_path: Path) -> None:
        source = source_of(write_image(tmp_path / "a.dcm", 3))
        item = derivation_item(source, [1], SEGMENTATION, "Mask of the network")
        assert item.DerivationCodeSequence[0].CodeValue == "113076"
        (image,) = item.SourceImageSequence
        assert image.ReferencedFrameNumber == [2] or image.ReferencedFrameNumber == 2
        assert image.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"


class TestWriting:
    def test_an_object_is_written_whole_or_not_at_all(self, tmp_path: Path) -> None:
        new = made(source_of(write_image(tmp_path / "a.dcm")))
        new.add_new(0x00280010, "US", b"no number")
        with pytest.raises(SegcamError, match=r"new\.dcm cannot be written as DICOM"):
            save_object(new, tmp_path / "new.dcm")
        assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]

    @given(st.text(), st.integers(3, 64))
    def test_any_text_fits_its_element(self, text: str, length: int) -> None:
        value = fitted(text, length)
        assert len(value) <= length
        assert is_valid("LO", value)
