from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomFileLike
from pydicom.fileset import FileSet
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    UltrasoundImageStorage,
    generate_uid,
)

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.image_folder import cines_of
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.stills.still_cine import StillCine

Y, X = 12, 20
FRAMES = np.random.default_rng(0).integers(0, 256, (12, Y, X), dtype=np.uint8)
SERIES = generate_uid()
PATIENT = {
    "PatientID": "1",
    "StudyInstanceUID": SERIES,
    "StudyID": "1",
    "StudyDate": "20260101",
    "StudyTime": "120000",
    "SeriesNumber": 1,
}
PATIENT |= {"Modality": "US", "AccessionNumber": "", "PatientName": "A"}


def write_dicom(
    path: Path, frame: np.ndarray, *, number: int | None, series: str | None = SERIES, **elements: Any
) -> None:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = UltrasoundImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.SeriesInstanceUID, header.InstanceNumber = series, number
    header.Rows, header.Columns = frame.shape[-2:]
    if frame.ndim == 3:
        header.NumberOfFrames = len(frame)
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
    header.PixelSpacing = ["0.3", "0.2"]
    for keyword, value in elements.items():
        setattr(header, keyword, value)
    header.PixelData = frame.tobytes()
    header["PixelData"].VR = "OB"
    header.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve frames whose names are not in alphabetical order, among other files."""
    for index, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(tmp_path / f"frame{index}.png")
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / "empty").touch()
    Image.fromarray(FRAMES[0, :5]).save(tmp_path / ".thumbnail.png")
    (tmp_path / "more").mkdir()
    return tmp_path


def test_the_images_of_a_folder_are_frames_in_natural_order(folder: Path) -> None:
    cine = open_cine(folder)
    assert (cine.name, cine.path, len(cine)) == (folder.name, folder, 12)
    assert (cine.frame_shape, cine.dtype, cine.value_range) == ((Y, X), np.uint8, (0, 255))
    assert (cine.frame_rate, cine.spacing_mm, cine.region) == (None, None, None)
    for index in (0, 2, 10, 11, 9, -1):
        np.testing.assert_array_equal(cine[index], FRAMES[index])


@pytest.mark.parametrize("suffix", ["bmp", "tif", "png"])
def test_other_kinds_colors_and_upper_case_suffixes(tmp_path: Path, suffix: str) -> None:
    colors = np.random.default_rng(1).integers(0, 256, (3, Y, X, 3), dtype=np.uint8)
    for name, frame in zip(("B2", "a10", "b1"), colors, strict=True):
        if suffix == "tif":
            tifffile.imwrite(tmp_path / f"{name}.tif", frame, photometric="rgb")
        else:
            Image.fromarray(frame).save(tmp_path / f"{name}.{suffix}")
    cine = open_cine(tmp_path)
    assert cine.frame_shape == (Y, X, 3)
    for frame, number in zip(cine, (1, 2, 0), strict=True):
        np.testing.assert_array_equal(frame, colors[number])


def test_float_values_get_their_value_range(tmp_path: Path) -> None:
    for index in range(3):
        tifffile.imwrite(tmp_path / f"{index}.tif", np.full((Y, X), 60.0 * index, np.float32))
    assert open_cine(tmp_path).value_range == (0, 255)


def test_frames_are_decoded_when_they_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    decode = StillCine._read
    monkeypatch.setattr(StillCine, "_read", lambda self, index: read.append(self.name) or decode(self, index))
    cine = open_cine(folder)
    assert read == []
    cine[3]
    assert read == ["frame3"]


def test_dicom_files_follow_their_instance_number(tmp_path: Path) -> None:
    for name, number in (("a", 7), ("b", 30), ("c", 4)):
        write_dicom(tmp_path / name, FRAMES[number % 12], number=number, CineRate="20")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(50))
    cine = open_cine(tmp_path)
    assert (len(cine), cine.spacing_mm, cine.frame_rate) == (3, (0.3, 0.2), 20)
    for frame, number in zip(cine, (4, 7, 30), strict=True):
        np.testing.assert_array_equal(frame, FRAMES[number % 12])


@pytest.mark.parametrize("numbers", [(5, 5, 2), (None, 3, 1)])
def test_dicom_files_without_unique_numbers_follow_their_names(tmp_path: Path, numbers: Any) -> None:
    for index, number in enumerate(numbers):
        write_dicom(tmp_path / f"{index}.dcm", FRAMES[index], number=number)
    for frame, expected in zip(open_cine(tmp_path), FRAMES[:3], strict=True):
        np.testing.assert_array_equal(frame, expected)


def test_a_calibration_that_differs_is_not_used(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", FRAMES[0], number=1)
    write_dicom(tmp_path / "b.dcm", FRAMES[1], number=2, PixelSpacing=["0.3", "0.3"])
    assert open_cine(tmp_path).spacing_mm is None


def test_the_first_image_that_does_not_belong_is_named(folder: Path) -> None:
    Image.fromarray(FRAMES[0, :8]).save(folder / "frame8.png")
    Image.fromarray(FRAMES[0, :8]).save(folder / "frame9.png")
    with pytest.raises(SegcamError, match=r"frame8\.png is .*20 × 8 pixels.* frame0\.png is .*20 × 12"):
        open_cine(folder)

    Image.fromarray(np.dstack([FRAMES[0]] * 3)).save(folder / "frame8.png")
    with pytest.raises(SegcamError, match=r"frame8\.png is a color .*frame0\.png is a gray"):
        open_cine(folder)


def test_a_folder_without_a_cine_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "pages.tif").write_bytes(b"no image")
    with pytest.raises(SegcamError, match=r"pages\.tif is not the image"):
        open_cine(tmp_path)

    (tmp_path / "pages.tif").unlink()
    with pytest.raises(SegcamError, match="a folder without DICOM, PNG"):
        open_cine(tmp_path)


def test_series_and_kinds_are_separate_cines(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", FRAMES[0], number=1)
    write_dicom(tmp_path / "b.dcm", FRAMES[1], number=2, series=generate_uid())
    Image.fromarray(FRAMES[1]).save(tmp_path / "preview.png")
    listed = r"holds 3 cines .*a\.dcm \(a still of 20 × 12\), b\.dcm \(a still.*preview\.png \(a still"
    with pytest.raises(SegcamError, match=listed):
        open_cine(tmp_path)
    contents = cines_of(tmp_path)
    assert [(len(cine), cine.name) for cine in contents.cines] == [(1, "a"), (1, "b"), (1, "preview")]
    for cine, frame in zip(contents.cines, FRAMES[[0, 1, 1]], strict=True):
        np.testing.assert_array_equal(cine[0], frame)


def test_an_exam_of_cines_and_stills_is_listed(tmp_path: Path) -> None:
    write_dicom(tmp_path / "IM000001", FRAMES[:4], number=1)
    write_dicom(tmp_path / "1.2.840.7.12", FRAMES[4:], number=2)
    write_dicom(tmp_path / "IM000003", FRAMES[0], number=3)
    write_dicom(tmp_path / "IM000004", FRAMES[1], number=4)
    (tmp_path / "IM000005").write_bytes((tmp_path / "IM000004").read_bytes()[:-30])
    with pytest.raises(SegcamError, match=r"1\.2\.840\.7\.12 \(8 frames .*IM000001 \(4 frames of 20 × 12\)"):
        open_cine(tmp_path)
    contents = cines_of(tmp_path)
    assert [(cine.name, len(cine)) for cine in contents.cines] == [
        ("1.2.840.7.12", 8),
        ("IM000001", 4),
        ("IM000003 and 1 more", 2),
    ]
    assert len(contents.unread) == 1
    assert "IM000005" in contents.unread[0]
    np.testing.assert_array_equal(contents.cines[2][1], FRAMES[1])


def test_the_only_cine_of_a_folder_is_opened(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "pages.tif", FRAMES, photometric="minisblack")
    (tmp_path / "notes.txt").write_text("about them")
    assert len(open_cine(tmp_path)) == 12
    (tmp_path / "pages.tif").unlink()
    np.save(tmp_path / "stack.npy", FRAMES)
    assert len(open_cine(tmp_path)) == 12


def test_a_missing_frame_of_a_dicom_folder_is_noted(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", FRAMES[0], number=1)
    write_dicom(tmp_path / "b.dcm", FRAMES[1], number=2)
    (tmp_path / "b.dcm").write_bytes((tmp_path / "b.dcm").read_bytes()[:-30])
    with pytest.raises(SegcamError, match=r"b\.dcm"):
        open_cine(tmp_path)


@pytest.mark.parametrize("names", ["upper", "lower"])
def test_a_dicomdir_lists_the_images(tmp_path: Path, names: str) -> None:
    medium = tmp_path / "medium"
    write_dicom(tmp_path / "a", FRAMES[:3], number=1, **PATIENT)
    write_dicom(tmp_path / "b", FRAMES[3:8], number=2, **PATIENT)
    files = FileSet()
    for name in ("a", "b"):
        files.add(tmp_path / name)
    files.write(medium)
    if names == "lower":  # as copied from a disc
        for path in sorted(medium.rglob("*"), reverse=True):
            path.rename(path.with_name(path.name.lower()))
    directory = medium / ("DICOMDIR" if names == "upper" else "dicomdir")
    assert sorted(len(cine) for cine in cines_of(medium).cines) == [3, 5]
    for path in (medium, directory):
        with pytest.raises(
            SegcamError, match=r"holds 2 cines .*3 frames .*5 frames|holds 2 cines .*5 frames .*3 frames"
        ):
            open_cine(path)


# ── unusual DICOM files ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("meta", [True, False])
def test_dicom_without_preamble(tmp_path: Path, syntax: Any, meta: bool) -> None:
    header = dcmread(write_dicom(tmp_path / "whole", FRAMES[:3], number=1))
    header.file_meta.TransferSyntaxUID = syntax
    path = tmp_path / "IM000001"
    with path.open("wb") as file:
        if meta:
            write_file_meta_info(file, header.file_meta)
        fp = DicomFileLike(file)
        fp.is_little_endian, fp.is_implicit_VR = syntax.is_little_endian, syntax.is_implicit_VR
        write_dataset(fp, header)
    cine = open_cine(path)
    assert (len(cine), cine.name) == (3, "IM000001")
    np.testing.assert_array_equal(cine[2], FRAMES[2])


@pytest.mark.parametrize(
    "text", [b"\x08\0 not DICOM at all, but long enough", b"\x02\0\0\0UX......", b"\0\x08" + bytes(300)]
)
def test_text_that_begins_like_elements_is_not_dicom(tmp_path: Path, text: Any) -> None:
    (tmp_path / "a").write_bytes(text)
    with pytest.raises(SegcamError, match="not an image that can be read"):
        open_cine(tmp_path / "a")
