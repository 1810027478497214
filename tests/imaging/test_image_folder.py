from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.stills import StillCine

Y, X = 12, 20
FRAMES = np.random.default_rng(0).integers(0, 256, (12, Y, X), dtype=np.uint8)
SERIES = generate_uid()


def write_dicom(path, frame, *, number, series=SERIES, **elements):
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = UltrasoundImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.SeriesInstanceUID, header.InstanceNumber = series, number
    header.Rows, header.Columns = frame.shape
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
    header.PixelSpacing = ["0.3", "0.2"]
    for keyword, value in elements.items():
        setattr(header, keyword, value)
    header.PixelData = frame.tobytes()
    header["PixelData"].VR = "OB"
    header.save_as(path, enforce_file_format=True)


@pytest.fixture
def folder(tmp_path):
    """Twelve frames whose names are not in alphabetical order, among other files."""
    for index, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(tmp_path / f"frame{index}.png")
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / "empty").touch()
    Image.fromarray(FRAMES[0, :5]).save(tmp_path / ".thumbnail.png")
    (tmp_path / "more").mkdir()
    return tmp_path


def test_the_images_of_a_folder_are_frames_in_natural_order(folder):
    cine = open_cine(folder)
    assert (cine.name, cine.path, len(cine)) == (folder.name, folder, 12)
    assert (cine.frame_shape, cine.dtype, cine.value_range) == ((Y, X), np.uint8, (0, 255))
    assert (cine.frame_rate, cine.spacing_mm, cine.region) == (None, None, None)
    for index in (0, 2, 10, 11, 9, -1):
        np.testing.assert_array_equal(cine[index], FRAMES[index])


@pytest.mark.parametrize("suffix", ["bmp", "tif", "png"])
def test_other_kinds_colours_and_capitals(tmp_path, suffix):
    colours = np.random.default_rng(1).integers(0, 256, (3, Y, X, 3), dtype=np.uint8)
    for name, frame in zip(("B2", "a10", "b1"), colours, strict=True):
        if suffix == "tif":
            tifffile.imwrite(tmp_path / f"{name}.tif", frame, photometric="rgb")
        else:
            Image.fromarray(frame).save(tmp_path / f"{name}.{suffix}")
    cine = open_cine(tmp_path)
    assert cine.frame_shape == (Y, X, 3)
    for frame, number in zip(cine, (1, 2, 0), strict=True):
        np.testing.assert_array_equal(frame, colours[number])


def test_fractions_get_their_value_range(tmp_path):
    for index in range(3):
        tifffile.imwrite(tmp_path / f"{index}.tif", np.full((Y, X), 60.0 * index, np.float32))
    assert open_cine(tmp_path).value_range == (0, 255)


def test_frames_are_decoded_when_they_are_read(folder, monkeypatch):
    read = []
    decode = StillCine._read
    monkeypatch.setattr(StillCine, "_read", lambda self, index: read.append(self.name) or decode(self, index))
    cine = open_cine(folder)
    assert read == []
    cine[3]
    assert read == ["frame3"]


def test_dicom_files_follow_their_instance_number(tmp_path):
    for name, number in (("a", 7), ("b", 30), ("c", 4)):
        write_dicom(tmp_path / name, FRAMES[number % 12], number=number, CineRate="20")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(50))
    cine = open_cine(tmp_path)
    assert (len(cine), cine.spacing_mm, cine.frame_rate) == (3, (0.3, 0.2), 20)
    for frame, number in zip(cine, (4, 7, 30), strict=True):
        np.testing.assert_array_equal(frame, FRAMES[number % 12])


@pytest.mark.parametrize("numbers", [(5, 5, 2), (None, 3, 1)])
def test_dicom_files_without_numbers_of_their_own_follow_their_names(tmp_path, numbers):
    for index, number in enumerate(numbers):
        write_dicom(tmp_path / f"{index}.dcm", FRAMES[index], number=number)
    for frame, expected in zip(open_cine(tmp_path), FRAMES[:3], strict=True):
        np.testing.assert_array_equal(frame, expected)


def test_a_calibration_that_not_all_share_is_none(tmp_path):
    write_dicom(tmp_path / "a.dcm", FRAMES[0], number=1)
    write_dicom(tmp_path / "b.dcm", FRAMES[1], number=2, PixelSpacing=["0.3", "0.3"])
    assert open_cine(tmp_path).spacing_mm is None


def test_the_first_image_that_does_not_belong_is_named(folder):
    Image.fromarray(FRAMES[0, :8]).save(folder / "frame8.png")
    Image.fromarray(FRAMES[0, :8]).save(folder / "frame9.png")
    with pytest.raises(SegcamError, match=r"frame8\.png is .*20 × 8 pixels.* frame0\.png is .*20 × 12"):
        open_cine(folder)

    Image.fromarray(np.dstack([FRAMES[0]] * 3)).save(folder / "frame8.png")
    with pytest.raises(SegcamError, match=r"frame8\.png is a colour .*frame0\.png is a gray"):
        open_cine(folder)


def test_what_no_cine_can_be_made_of_is_refused_in_words(tmp_path):
    tifffile.imwrite(tmp_path / "pages.tif", FRAMES, photometric="minisblack")
    with pytest.raises(SegcamError, match=r"pages\.tif holds 12 frames"):
        open_cine(tmp_path)

    (tmp_path / "pages.tif").write_bytes(b"no image")
    with pytest.raises(SegcamError, match=r"pages\.tif is not the image"):
        open_cine(tmp_path)

    (tmp_path / "pages.tif").unlink()
    with pytest.raises(SegcamError, match="a folder without DICOM, PNG"):
        open_cine(tmp_path)


def test_series_and_kinds_are_not_mixed(tmp_path):
    write_dicom(tmp_path / "a.dcm", FRAMES[0], number=1)
    write_dicom(tmp_path / "b.dcm", FRAMES[1], number=2, series=generate_uid())
    with pytest.raises(SegcamError, match=r"b\.dcm and a\.dcm belong to different series"):
        open_cine(tmp_path)

    (tmp_path / "b.dcm").unlink()
    Image.fromarray(FRAMES[1]).save(tmp_path / "preview.png")
    with pytest.raises(SegcamError, match=r"preview\.png is a gray image .*a\.dcm is a gray DICOM"):
        open_cine(tmp_path)
