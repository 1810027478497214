"""Segmentations are read bit for bit: those of this program and of others, in any encoding and order of frames."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.sr.codedict import codes
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    UltrasoundImageStorage,
    generate_uid,
)

from dicom_objects.made_sources import FRAMES, SOURCES
from dicom_objects.segmentation.made_masks import NETWORK, SEGMENTS, masks_of, source_of, write_masks
from napari_segcam.dicom_objects.segmentation import packing
from napari_segcam.dicom_objects.segmentation.reading import read_segmentation
from napari_segcam.dicom_objects.segmentation.segment import Segment
from napari_segcam.dicom_objects.segmentation.writing import Kind
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine

KINDS: tuple[Kind, ...] = ("binary", "fractional", "labelmap")


def refuse_other_masks(path: Path, source: SourceImages, kind: Kind = "binary") -> None:
    """Fail unless a file holds exactly the made masks of a source, alone and over it."""
    alone = read_segmentation(path)
    for read in (alone, alone.laid_over(source)):
        assert read.frame_count == source.frame_count
        for number in range(source.frame_count):
            expected = masks_of(source, number, kind)
            for index, segment in enumerate(read.segments):
                mask = read.mask(number, segment.number)
                if kind == "binary":
                    assert np.array_equal(mask, expected[index])
                elif kind == "labelmap":
                    assert np.array_equal(mask, expected == index + 1)
                else:
                    steps = np.rint(expected[index] * 255)
                    assert np.array_equal(mask, steps >= 127.5)
                    assert np.array_equal(read.fractions(number, segment.number), (steps / 255).astype(np.float32))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOURCES)
def test_what_was_written_is_read(name: str, kind: Kind, tmp_path: Path) -> None:
    source = source_of(name, tmp_path)
    refuse_other_masks(write_masks(tmp_path / "segmentation.dcm", source, kind), source, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_compressed_is_read(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "UNCOMPRESSED_DATA", 100)
    source = source_of("gray_cine", tmp_path)
    refuse_other_masks(write_masks(tmp_path / "segmentation.dcm", source, kind), source, kind)


def test_label_maps_of_16_bits_are_read(tmp_path: Path) -> None:
    source = source_of("still", tmp_path)
    segments = [Segment(f"class {number}", algorithm=NETWORK) for number in range(300)]
    read = read_segmentation(write_masks(tmp_path / "segmentation.dcm", source, "labelmap", segments=segments))
    labels = masks_of(source, 0, "labelmap", 300)
    assert np.array_equal(read.mask(0, 299), labels == 299)


def test_what_a_segment_says_is_read(tmp_path: Path) -> None:
    source = source_of("japanese_cine", tmp_path)
    segments = [*SEGMENTS, Segment("子宫肌瘤", algorithm=NETWORK)]
    read = read_segmentation(write_masks(tmp_path / "segmentation.dcm", source, segments=segments))
    fibroid, own, cyst, chinese = read.segments
    assert (fibroid.number, fibroid.label, fibroid.origin, fibroid.color) == (1, "fibroid", "AUTOMATIC", "#00e5ff")
    assert fibroid.type is not None
    assert (fibroid.type.scheme, fibroid.type.meaning) == ("SCT", "Leiomyoma")
    assert (fibroid.algorithm_name, fibroid.algorithm_version) == (NETWORK.name, NETWORK.version)
    assert NETWORK.sha256 in fibroid.algorithm_parameters
    assert own.origin == "SEMIAUTOMATIC"
    assert "frame 1" in own.description
    assert (cyst.label, cyst.tracking_id, cyst.origin) == ("cyst 2", "cyst 2", "MANUAL")
    assert chinese.label == "子宫肌瘤"
    assert (read.kind, read.rows, read.columns) == ("binary", source.rows, source.columns)
    assert read.referenced_uids == (source.first.SOPInstanceUID,)
    assert read.facts.study_uid == source.study_uid
    assert read.facts.patient_id == source.first.PatientID


def test_frames_that_were_not_looked_at_differ_from_empty_ones(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    size = (1, source.rows, source.columns)
    path = write_masks(
        tmp_path / "segmentation.dcm",
        source,
        segments=SEGMENTS[:1],
        numbers=[1, 4],
        masks=lambda _: np.zeros(size, bool),
    )
    read = read_segmentation(path).laid_over(source)
    assert read.looked_at == read.frames_of(1) == (1, 4)
    assert not any(read.mask(number, 1).any() for number in range(FRAMES))
    with pytest.raises(SegcamError, match="no segment 2"):
        read.mask(0, 2)


def rewritten(path: Path, syntax: str, order: list[int] | None = None) -> Path:
    """Write a Segmentation again in another transfer syntax and order of frames, as another program could."""
    dataset = dcmread(path)
    planes = dataset.pixel_array
    planes = planes if planes.ndim == 3 else planes[None]
    order = order or list(range(len(planes)))
    groups = dataset.PerFrameFunctionalGroupsSequence
    dataset.PerFrameFunctionalGroupsSequence = [groups[index] for index in order]
    planes = planes[order]
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    bits = dataset.BitsAllocated
    if bits == 1:
        data = np.packbits(planes.ravel(), bitorder="little").tobytes()
        data += b"\0" * (len(data) % 2)
    else:
        data = planes.astype(f"<u{bits // 8}").tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    if syntax in (RLELossless, JPEG2000Lossless):
        dataset.compress(syntax, planes, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = syntax
    other = path.with_name("other.dcm")
    if syntax != ExplicitVRBigEndian:
        dataset.save_as(other, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True, force_encoding=True)
        return other
    content = DicomBytesIO()
    content.is_implicit_VR, content.is_little_endian = False, False
    write_dataset(content, dataset)
    with other.open("wb") as file:
        file.write(b"\0" * 128 + b"DICM")
        write_file_meta_info(file, dataset.file_meta)
        file.write(content.getvalue())
    return other


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
@pytest.mark.parametrize("kind", KINDS)
def test_other_encodings_and_orders_are_read(kind: Kind, syntax: str, tmp_path: Path) -> None:
    if kind == "binary" and syntax == RLELossless:
        pytest.skip("RLE is not defined for single bits")
    source = source_of("gray_cine", tmp_path)
    path = write_masks(tmp_path / "segmentation.dcm", source, kind)
    order = list(range(FRAMES * (1 if kind == "labelmap" else len(SEGMENTS))))
    random.Random(22).shuffle(order)
    refuse_other_masks(rewritten(path, syntax, order), source, kind)


def test_jpeg_2000_is_read(tmp_path: Path) -> None:
    pytest.importorskip("openjpeg", reason="nothing here writes JPEG 2000")
    source = source_of("gray_cine", tmp_path)
    path = write_masks(tmp_path / "segmentation.dcm", source, "fractional")
    refuse_other_masks(rewritten(path, JPEG2000Lossless), source, "fractional")


def test_sequences_without_lengths_are_read(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    dataset = dcmread(write_masks(tmp_path / "segmentation.dcm", source))

    def leave_out_lengths(group: Dataset) -> None:
        for element in group:
            if element.VR == "SQ":
                element.is_undefined_length = True
                for item in element.value:
                    item.is_undefined_length_sequence_item = True
                    leave_out_lengths(item)

    leave_out_lengths(dataset)
    dataset.save_as(tmp_path / "other.dcm")
    assert (tmp_path / "other.dcm").read_bytes().count(b"\xff\xff\xff\xff") > 50
    refuse_other_masks(tmp_path / "other.dcm", source)


def test_frames_deflated_one_by_one_are_read(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    dataset = dcmread(write_masks(tmp_path / "segmentation.dcm", source))
    frames = []
    for plane in dataset.pixel_array:
        deflate = zlib.compressobj(wbits=-15)
        frames.append(deflate.compress(np.packbits(plane.ravel(), bitorder="little").tobytes()) + deflate.flush())
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.8.1"  # Deflated Image Frame Compression
    dataset.save_as(tmp_path / "other.dcm", implicit_vr=False, little_endian=True, force_encoding=True)
    refuse_other_masks(tmp_path / "other.dcm", source)


def test_frames_whose_size_is_no_multiple_of_8_are_read(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    source.rows, source.columns = 9, 13  # 117 pixels
    refuse_other_masks(write_masks(tmp_path / "segmentation.dcm", source), source)


def test_segment_numbers_may_have_gaps(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    dataset = dcmread(write_masks(tmp_path / "segmentation.dcm", source))
    numbers = {1: 7, 2: 40, 3: 300}
    for item in dataset.SegmentSequence:
        item.SegmentNumber = numbers[item.SegmentNumber]
    for group in dataset.PerFrameFunctionalGroupsSequence:
        identification = group.SegmentIdentificationSequence[0]
        identification.ReferencedSegmentNumber = numbers[identification.ReferencedSegmentNumber]
    dataset.save_as(tmp_path / "other.dcm")
    assert [segment.number for segment in read_segmentation(tmp_path / "other.dcm").segments] == [7, 40, 300]
    refuse_other_masks(tmp_path / "other.dcm", source)


def slices(folder: Path, count: int = 4, sop_class: str = CTImageStorage) -> Path:
    """Write a series of stills with positions in the patient."""
    folder.mkdir()
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for number in range(count):
        header = FileDataset(None, Dataset(), preamble=b"\0" * 128)
        header.file_meta = hd.base.FileMetaDataset() if hasattr(hd.base, "FileMetaDataset") else Dataset()
        header.SOPClassUID, header.SOPInstanceUID = sop_class, generate_uid()
        header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = study, series, frame
        header.PatientID, header.PatientName, header.Modality = "P1", "Doe^Jane", "CT"
        header.PatientBirthDate = header.PatientSex = header.StudyDate = header.StudyTime = header.StudyID = ""
        header.AccessionNumber = header.ReferringPhysicianName = ""
        header.InstanceNumber, header.SeriesNumber = number + 1, 1
        header.ImagePositionPatient = [0.0, -12.5, 3.0 * (count - number)]
        header.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        header.PixelSpacing, header.SliceThickness = [0.5, 0.4], 3.0
        header.Rows, header.Columns, header.SamplesPerPixel = 11, 13, 1
        header.PhotometricInterpretation, header.PixelRepresentation = "MONOCHROME2", 0
        header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
        header.PixelData = bytes(11 * 13) + b"\0"
        header["PixelData"].VR = "OB"
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.save_as(folder / f"slice_{number}.dcm", enforce_file_format=True)
    return folder


def by_highdicom(folder: Path, kind: str, *, empty: bool = True) -> tuple[Path, NDArray[np.float32]]:
    """Write a Segmentation of a series with highdicom; return it and the masks in the order of the series."""
    images = [dcmread(path) for path in sorted(folder.glob("slice_*.dcm"))]
    values = np.random.default_rng(5).random((len(images), 11, 13, 2), np.float32)
    if kind == "LABELMAP":
        values[..., 1] = np.where(values[..., 0] > 0.5, 0, values[..., 1])
    if not empty:
        values[2] = 0
    descriptions = [
        hd.seg.SegmentDescription(
            number,
            label,
            codes.cid7150.AnatomicalStructure,
            codes.cid7151.Liver,
            hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in enumerate(("organ", "lesion"), 1)
    ]
    made = hd.seg.Segmentation(
        source_images=images,
        pixel_array=values if kind == "FRACTIONAL" else (values > 0.5).astype(np.uint8),
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Made for tests",
        manufacturer_model_name="m",
        software_versions="1",
        device_serial_number="0",
        max_fractional_value=200,
        omit_empty_frames=True,
    )
    made.save_as(folder.parent / "highdicom.dcm")
    return folder.parent / "highdicom.dcm", values


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
@pytest.mark.parametrize("link", ["references", "positions"])
@pytest.mark.parametrize("sop_class", [CTImageStorage, UltrasoundImageStorage])
def test_segmentations_of_highdicom_are_read(kind: str, link: str, sop_class: str, tmp_path: Path) -> None:
    folder = slices(tmp_path / "series", sop_class=sop_class)
    path, values = by_highdicom(folder, kind, empty=False)
    if link == "positions":
        dataset = dcmread(path)
        for group in (*dataset.PerFrameFunctionalGroupsSequence, *dataset.SharedFunctionalGroupsSequence):
            group.pop("DerivationImageSequence", None)
        dataset.save_as(path)
    read = read_segmentation(path).laid_over(SourceImages.of(open_cine(folder)))
    assert [segment.label for segment in read.segments] == ["organ", "lesion"]
    for number in range(len(values)):
        for index in range(2):
            expected = values[number, ..., index]
            if kind == "FRACTIONAL":
                assert np.abs(read.fractions(number, index + 1) - expected).max() <= 0.5 / 200 + 1e-6
            else:
                assert np.array_equal(read.mask(number, index + 1), expected > 0.5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["gray_cine", "anisotropic_cine", "uncalibrated_cine", "still", "folder_of_stills"])
def test_highdicom_reads_the_same_masks(name: str, kind: Kind, tmp_path: Path) -> None:
    source = source_of(name, tmp_path)
    read = hd.seg.segread(write_masks(tmp_path / "segmentation.dcm", source, kind))
    uids = [header.SOPInstanceUID for header in source.headers]
    options = {"combine_segments": False, "rescale_fractional": False}
    if name.endswith("cine"):
        pixels = read.get_pixels_by_source_frame(uids[0], range(1, source.frame_count + 1), **options)
    else:
        pixels = read.get_pixels_by_source_instance(uids, **options)
    for number in range(source.frame_count):
        expected = masks_of(source, number, kind)
        for index in range(len(SEGMENTS)):
            plane = expected == index + 1 if kind == "labelmap" else expected[index]
            assert np.array_equal(pixels[number, ..., index], np.rint(plane * 255) if kind == "fractional" else plane)


def test_references_to_a_cine_as_a_whole_are_laid_out_by_moment(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    dataset = dcmread(write_masks(tmp_path / "segmentation.dcm", source))
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
    dataset.save_as(tmp_path / "other.dcm")
    refuse_other_masks(tmp_path / "other.dcm", source)
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.FrameContentSequence
    dataset.save_as(tmp_path / "other.dcm")
    refuse_other_masks(tmp_path / "other.dcm", source)  # one mask for each frame, in order


def test_frames_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    dataset = dcmread(write_masks(tmp_path / "segmentation.dcm", source, numbers=[0, 2, 3]))
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence
        del group.FrameContentSequence
    dataset.save_as(tmp_path / "other.dcm")
    with pytest.raises(SegcamError, match="does not say which frame"):
        read_segmentation(tmp_path / "other.dcm").laid_over(source)


def test_a_segmentation_of_another_image_is_refused(tmp_path: Path) -> None:
    path = write_masks(tmp_path / "segmentation.dcm", source_of("gray_cine", tmp_path))
    with pytest.raises(SegcamError, match="of another image"):
        read_segmentation(path).laid_over(source_of("rgb_cine", tmp_path))


def test_a_segmentation_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    read = read_segmentation(write_masks(tmp_path / "segmentation.dcm", source))
    with pytest.raises(SegcamError, match="128×96 pixels, but the image has 100×90"):
        read.laid_over_frames(FRAMES, 90, 100)
    with pytest.raises(SegcamError, match="frame 6, but the image has one frame"):
        read.laid_over_frames(1, 96, 128)
    assert read.laid_over_frames(9, 96, 128).frame_count == 9
    source.rows = 95
    with pytest.raises(SegcamError, match="96 pixels, but the image has 128×95"):
        read.laid_over(source)


@pytest.mark.parametrize("kind", ["binary", "fractional", "labelmap"])
def test_edited_frames_are_marked_one_by_one(kind: Kind, tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    edited = [
        Segment("fibroid", "SEMIAUTOMATIC", NETWORK, edited_frames=(1, 4)),
        Segment("cyst", "SEMIAUTOMATIC", NETWORK, edited_frames=(2,)),
        Segment("nerve", algorithm=NETWORK),
    ]
    read = read_segmentation(write_masks(tmp_path / "edited.dcm", source, kind, segments=edited, numbers=[1, 2, 3, 4]))
    assert read.edited_frames == (1, 2, 4)
    plain = [Segment("fibroid", algorithm=NETWORK)]
    assert read_segmentation(write_masks(tmp_path / "plain.dcm", source, kind, segments=plain)).edited_frames == ()


def test_more_edited_frames_than_a_description_can_name_are_all_marked(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    many = SourceImages(source.headers, [1000])
    edited = [Segment("fibroid", "SEMIAUTOMATIC", NETWORK, edited_frames=tuple(range(0, 1000, 2)))]
    blank = np.zeros((1, source.rows, source.columns), bool)
    path = write_masks(tmp_path / "edited.dcm", many, segments=edited, masks=lambda _number: blank)
    assert read_segmentation(path).edited_frames == edited[0].edited_frames
