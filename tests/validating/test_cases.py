"""Cases: which images belong together, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid
from studies import dice_run, write_list, write_run

from napari_segcam.errors import SegcamError
from napari_segcam.reporting.report.finished_run import read_run
from napari_segcam.validating.cases import Cases, find_cases
from napari_segcam.validating.dicom_tags import read_tags, tags_of


def cases_of(folder: Path, **arguments: object) -> Cases:
    return find_cases(read_run(folder), **arguments)  # type: ignore[arg-type]


def test_without_anything_each_file_is_a_case_and_that_is_an_assumption(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"a.png": [{}], "scan.h5::one": [{}], "scan.h5::two": [{}]})
    cases = cases_of(folder)
    assert cases.of_image == {"a.png": "a.png", "scan.h5::one": "scan.h5", "scan.h5::two": "scan.h5"}
    assert cases.assumed
    assert "own" in cases.how


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_list_names_the_cases_and_what_is_missing_on_either_side(tmp_path: Path, separator: str) -> None:
    folder = write_run(tmp_path / "run", {"p1/a.png": [{}], "p1/b.png": [{}], "p2/c.png": [{}], "d.png": [{}]})
    lines = ["p1/a.png,P1", "p1\\b.png,P1", "c.png,P2", "e.png,P2", "f.png,P3", "g.png,P3"]
    path = write_list(
        tmp_path / "cases.csv", f"Image{separator} CASE", [line.replace(",", separator) for line in lines]
    )
    cases = cases_of(folder, source=path)
    assert cases.of_image == {"p1/a.png": "P1", "p1/b.png": "P1", "p2/c.png": "P2"}
    assert cases.without_case == ("d.png",)
    assert cases.without_image == ("e.png", "f.png", "g.png")
    assert cases.missing == ("P3",)
    assert not cases.assumed
    assert "cases.csv" in cases.how


def test_a_file_name_alone_is_enough_only_where_it_is_unique(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"x/a.png": [{}], "y/a.png": [{}], "y/b.png": [{}], "y/c.png": [{}]})
    cases = cases_of(folder, source={"a.png": "P1", "b.png": "P2", "s/c.png": "P3", "t/c.png": "P4"})
    assert cases.of_image == {"y/b.png": "P2"}
    assert cases.without_image == ("a.png", "s/c.png", "t/c.png")
    assert cases.without_case == ("x/a.png", "y/a.png", "y/c.png")


@pytest.mark.parametrize(
    ("heading", "lines", "said"),
    [
        ("image,patient", ["a,b"], "no column named case"),
        ("file,case", ["a,b"], "no column named image"),
        ("image,case", ["image_0.png,P1", "image_1.png,"], "line 3, names no case"),
        ("image,case", ["image_0.png,P1", ",P1"], "line 3, names no image"),
        ("image,case", ["image_0.png,P1", "image_0.png,P2"], "line 3, has image_0.png in two cases, P1 and P2"),
        ("image,case", ["other.png,P1"], "No image of the run has a case"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(tmp_path: Path, heading: str, lines: list[str], said: str) -> None:
    folder = dice_run(tmp_path / "run", [0.5, 0.6])
    path = write_list(tmp_path / "cases.csv", heading, lines)
    with pytest.raises(SegcamError, match=said):
        cases_of(folder, source=path)


def test_a_pattern_finds_the_case_in_the_name(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"p_01_a.png": [{}], "p_01_b.png": [{}], "p_02.avi": [{}], "other.png": [{}]})
    cases = cases_of(folder, pattern=r"p_(\d+)")
    assert cases.of_image == {"p_01_a.png": "01", "p_01_b.png": "01", "p_02.avi": "02"}
    assert cases.without_case == ("other.png",)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("p_(", "no regular expression"), ("p_.", "0 groups"), ("(p)(_)", "2 groups"), ("(x)", "No image")],
)
def test_a_wrong_pattern_is_refused(tmp_path: Path, pattern: str, said: str) -> None:
    folder = write_run(tmp_path / "run", {"p_1.png": [{}]})
    with pytest.raises(SegcamError, match=said):
        cases_of(folder, pattern=pattern)


def test_list_and_pattern_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match="not both"):
        cases_of(dice_run(tmp_path / "run", [0.5]), source={"image_0.png": "1"}, pattern="(x)")


def test_identical_images_of_two_cases_are_found_and_of_one_case_are_not(tmp_path: Path) -> None:
    same = {"image_0.png": "x", "image_1.png": "x", "image_3.png": "y", "image_4.png": "y"}
    folder = dice_run(tmp_path / "run", [0.5] * 5, checksums=same)
    given = {"image_0.png": "A", "image_1.png": "A", "image_2.png": "A", "image_3.png": "B", "image_4.png": "C"}
    (duplicate,) = cases_of(folder, source=given).duplicates
    assert duplicate.cases == ("B", "C")
    assert duplicate.images == ("image_3.png", "image_4.png")


def test_without_recorded_checksums_the_files_are_compared_if_they_are_there(tmp_path: Path) -> None:
    source = tmp_path / "images"
    source.mkdir()
    for name, content in (("image_0.png", b"one"), ("image_1.png", b"one"), ("image_2.png", b"two")):
        (source / name).write_bytes(content)
    none = {f"image_{number}.png": "" for number in range(4)}
    cases = cases_of(dice_run(tmp_path / "run", [0.5] * 4, checksums=none, source=str(source)))
    assert [duplicate.images for duplicate in cases.duplicates] == [("image_0.png", "image_1.png")]
    assert cases.unchecked == 1


def write_dicom(path: Path, patient: str, **elements: str) -> None:
    data = Dataset()
    data.PatientID = patient
    data.SOPClassUID, data.SOPInstanceUID = UltrasoundImageStorage, generate_uid()
    for name, value in elements.items():
        setattr(data, name, value)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.save_as(path, enforce_file_format=True)


def test_dicom_images_of_one_patient_are_a_case_whose_name_does_not_show_the_id(tmp_path: Path) -> None:
    source = tmp_path / "images"
    source.mkdir()
    write_dicom(source / "image_0.png", "4711", IssuerOfPatientID="A")
    write_dicom(source / "image_1.png", "4712", IssuerOfPatientID="A")
    write_dicom(source / "image_2.png", "4711", IssuerOfPatientID="A")
    write_dicom(source / "image_3.png", "4711", IssuerOfPatientID="B")
    run = read_run(dice_run(tmp_path / "run", [0.5] * 4, source=str(source)))
    cases = find_cases(run, tags=read_tags(run))
    assert list(cases.of_image.values()) == ["patient 1", "patient 2", "patient 1", "patient 3"]
    assert not cases.assumed
    assert "DICOM" in cases.how


def test_files_without_a_patient_are_cases_of_their_own_beside_those_with_one(tmp_path: Path) -> None:
    source = tmp_path / "images"
    source.mkdir()
    write_dicom(source / "image_0.png", "4711")
    write_dicom(source / "image_1.png", "")
    (source / "image_2.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    run = read_run(dice_run(tmp_path / "run", [0.5] * 3, source=str(source)))
    cases = find_cases(run, tags=read_tags(run))
    assert list(cases.of_image.values()) == ["patient 1", "image_1.png", "image_2.png"]
    assert cases.assumed
    assert "2 files without one" in cases.how


def test_tags_of_a_header_are_attributes_and_an_age_in_years() -> None:
    data = Dataset()
    data.Manufacturer, data.ManufacturerModelName, data.PatientSex, data.PatientAge = "Maker", "M1", "F", "018M"
    data.TransducerData = ["C5-1"]
    tags = tags_of(data)
    assert tags.patient == ""
    assert dict(tags.attributes) == {
        "manufacturer": "Maker",
        "scanner": "M1",
        "sex": "F",
        "age": "1.5",
        "probe": tags.attributes["probe"],
    }
    assert "C5-1" in tags.attributes["probe"]
