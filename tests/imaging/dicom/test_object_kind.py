"""What a DICOM file holds: images are opened, and everything else says what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    ParametricMapStorage,
    RTDoseStorage,
    RTStructureSetStorage,
    SegmentationStorage,
    UltrasoundImageStorage,
    generate_uid,
)

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicom.object_kind import (
    LABEL_MAP_SEGMENTATION_STORAGE,
    ObjectKind,
    kind_of_class,
    object_kind,
)
from napari_segcam.imaging.image_folder import cines_of
from napari_segcam.imaging.opening import open_cine


def write_object(path: Path, sop_class: str, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write an object of this class, with 8-bit pixels although most of these classes have none."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = sop_class
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.Rows, header.Columns, header.SamplesPerPixel, header.PixelRepresentation = 8, 12, 1, 0
    header.PhotometricInterpretation, header.BitsAllocated, header.BitsStored, header.HighBit = "MONOCHROME2", 8, 8, 7
    header.PixelData = np.arange(96, dtype=np.uint8).tobytes()
    header["PixelData"].VR = "OB"
    header.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("sop_class", "words"),
    [
        (SegmentationStorage, r"a\.dcm holds no image of its own: it is a segmentation"),
        (LABEL_MAP_SEGMENTATION_STORAGE, r"a\.dcm holds no image of its own: it is a segmentation"),
        (ParametricMapStorage, r"a\.dcm holds no image of its own: it is a parametric map"),
        (ComprehensiveSRStorage, r"a\.dcm holds no image: it is of the kind Comprehensive SR\."),
        (EncapsulatedPDFStorage, r"a\.dcm holds no image: it is of the kind Encapsulated PDF\."),
        (RTStructureSetStorage, r"a\.dcm holds no image: it is of the kind RT Structure Set\."),
        (GrayscaleSoftcopyPresentationStateStorage, r"holds no image: it is of the kind Grayscale Softcopy"),
    ],
)
def test_what_is_no_image_says_what_it_is(tmp_path: Path, sop_class: str, words: str) -> None:
    path = write_object(tmp_path / "a.dcm", sop_class)
    with pytest.raises(SegcamError, match=words):
        open_cine(path)
    # Written before its class was known by the file meta information.
    header = pydicom.dcmread(path)
    (tmp_path / "old").mkdir()
    old = tmp_path / "old" / "a.dcm"
    with old.open("wb") as file:
        pydicom.dcmwrite(file, Dataset(header), implicit_vr=False, little_endian=True, force_encoding=True)
    with pytest.raises(SegcamError, match=words):
        open_cine(old)


def test_a_deflated_object_is_recognized_without_its_data_set(tmp_path: Path) -> None:
    path = write_object(tmp_path / "a.dcm", SegmentationStorage, DeflatedExplicitVRLittleEndian)
    assert object_kind(path) is ObjectKind.SEGMENTATION
    with pytest.raises(SegcamError, match="it is a segmentation"):
        open_cine(path)


@pytest.mark.parametrize(
    "sop_class", [UltrasoundImageStorage, MultiFrameTrueColorSecondaryCaptureImageStorage, RTDoseStorage, "1.2.3", ""]
)
def test_all_else_is_looked_at_as_an_image(sop_class: str) -> None:
    assert kind_of_class(sop_class) is ObjectKind.IMAGE


def test_objects_beside_an_image_do_not_keep_a_folder_from_opening(tmp_path: Path) -> None:
    write_object(tmp_path / "a.dcm", UltrasoundImageStorage)
    for name, sop_class in (("b", SegmentationStorage), ("c", ParametricMapStorage), ("d", ComprehensiveSRStorage)):
        write_object(tmp_path / f"{name}.dcm", sop_class)
    contents = cines_of(tmp_path)
    assert [cine.name for cine in contents.cines] == [tmp_path.name]
    assert contents.unread == ()


def test_a_damaged_header_is_left_to_the_reader_of_images(tmp_path: Path) -> None:
    path = tmp_path / "e.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + b"\x08\0\x16\0UI\xff\xff" + b"9" * 40)
    assert object_kind(path) is ObjectKind.IMAGE
    with pytest.raises(SegcamError, match=r"e\.dcm"):
        open_cine(path)
