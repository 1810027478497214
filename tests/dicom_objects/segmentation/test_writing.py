"""Written Segmentations: valid for independent validators, and the same masks for pydicom alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from dicom_objects.made_sources import FRAMES, SOURCES
from dicom_objects.segmentation.made_masks import NETWORK, SEGMENTS, masks_of, source_of, write_masks
from dicom_objects.validators import dciodvfy_errors, dciodvfy_warnings, validator_errors
from napari_segcam.dicom_objects.segmentation import packing
from napari_segcam.dicom_objects.segmentation.colors import cielab_of, color_of
from napari_segcam.dicom_objects.segmentation.run_lengths import run_length_encoded
from napari_segcam.dicom_objects.segmentation.segment import Segment, in_ranges
from napari_segcam.dicom_objects.segmentation.writing import Kind, labels_of, segmentation
from napari_segcam.errors import SegcamError

KINDS: tuple[Kind, ...] = ("binary", "fractional", "labelmap")


@pytest.mark.parametrize("kind", KINDS[:2])  # dciodvfy is older than Label Map Segmentation Storage
@pytest.mark.parametrize("name", SOURCES)
def test_dciodvfy_finds_no_error(name: str, kind: Kind, tmp_path: Path) -> None:
    path = write_masks(tmp_path / "segmentation.dcm", source_of(name, tmp_path), kind)
    assert dciodvfy_errors(path) == []
    # The standard asks for a private scheme where it has no code; dciodvfy warns about each.
    assert all("99SEGCAM" in warning for warning in dciodvfy_warnings(path))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS[:2])
@pytest.mark.parametrize("name", ["gray_cine", "still", "anisotropic_cine", "uncalibrated_cine", "folder_of_stills"])
def test_dicom_validator_finds_no_error(name: str, kind: Kind, tmp_path: Path) -> None:
    assert validator_errors(write_masks(tmp_path / "segmentation.dcm", source_of(name, tmp_path), kind)) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["gray_cine", "still", "folder_of_stills"])
@pytest.mark.parametrize("is_large", [False, True])
def test_pydicom_alone_reads_the_same_masks(
    name: str, kind: Kind, *, is_large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_large:
        monkeypatch.setattr(packing, "UNCOMPRESSED_DATA", 100)
    source = source_of(name, tmp_path)
    dataset = dcmread(write_masks(tmp_path / "segmentation.dcm", source, kind))
    syntax = dataset.file_meta.TransferSyntaxUID
    assert (syntax in (DeflatedExplicitVRLittleEndian, RLELossless)) == is_large
    pixels = dataset.pixel_array.reshape(-1, source.rows, source.columns)
    assert len(pixels) == len(dataset.PerFrameFunctionalGroupsSequence) == dataset.NumberOfFrames
    for plane, group in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        image = group.DerivationImageSequence[0].SourceImageSequence[0]
        (number,) = (
            number
            for number in range(source.frame_count)
            if source.place(number).header.SOPInstanceUID == image.ReferencedSOPInstanceUID
            and source.place(number).frame == image.get("ReferencedFrameNumber", 1)
        )
        masks = masks_of(source, number, kind)
        assert group.FrameContentSequence[0].TemporalPositionIndex == number + 1
        if kind == "labelmap":
            assert np.array_equal(plane, masks)
            continue
        mask = masks[group.SegmentIdentificationSequence[0].ReferencedSegmentNumber - 1]
        assert np.array_equal(plane, mask if kind == "binary" else np.rint(mask * 255))


def test_bits_follow_one_another_without_gaps_between_frames(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    source.rows, source.columns = 5, 7  # 35 pixels: frames begin within bytes
    dataset = segmentation(
        source, SEGMENTS, ((number, masks_of(source, number, "binary")) for number in range(FRAMES)), kind="binary"
    )
    bits = [int(pixel) for number in range(FRAMES) for pixel in masks_of(source, number, "binary").ravel()]
    assert [byte >> bit & 1 for byte in dataset.PixelData for bit in range(8)][: len(bits)] == bits
    assert len(dataset.PixelData) == (len(bits) + 15) // 16 * 2


def test_a_segment_says_what_it_is_and_who_drew_it(tmp_path: Path) -> None:
    dataset = dcmread(write_masks(tmp_path / "segmentation.dcm", source_of("gray_cine", tmp_path)))
    fibroid, own, cyst = dataset.SegmentSequence
    assert [item.SegmentNumber for item in dataset.SegmentSequence] == [1, 2, 3]
    assert fibroid.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Leiomyoma"
    assert fibroid.SegmentAlgorithmType == "AUTOMATIC"
    assert fibroid.SegmentAlgorithmName == NETWORK.name
    identification = fibroid.SegmentationAlgorithmIdentificationSequence[0]
    assert (identification.AlgorithmName, identification.AlgorithmVersion) == (NETWORK.name, NETWORK.version)
    assert NETWORK.sha256 in identification.AlgorithmParameters
    assert own.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert own.SegmentDescription.endswith("edited by a reader on frame 1")
    code = own.SegmentedPropertyTypeCodeSequence[0]
    assert (code.CodingSchemeDesignator, code.CodeMeaning) == ("99SEGCAM", "My class")
    assert (cyst.SegmentLabel, cyst.TrackingID, cyst.SegmentAlgorithmType) == ("cyst 2", "cyst 2", "MANUAL")
    assert "SegmentAlgorithmName" not in cyst
    assert "edited" in dataset.SeriesDescription


def test_the_pixel_spacing_is_that_of_the_source(tmp_path: Path) -> None:
    spaced = dcmread(write_masks(tmp_path / "a.dcm", source_of("anisotropic_cine", tmp_path)))
    measures = spaced.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert [float(distance) for distance in measures.PixelSpacing] == pytest.approx([0.3, 0.5])
    unknown = dcmread(write_masks(tmp_path / "b.dcm", source_of("uncalibrated_cine", tmp_path)))
    assert "PixelMeasuresSequence" not in unknown.SharedFunctionalGroupsSequence[0]


def test_a_frame_without_a_mask_is_stored_and_one_not_looked_at_is_not(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    path = write_masks(
        tmp_path / "segmentation.dcm",
        source,
        segments=SEGMENTS[:1],
        numbers=[1, 4],
        masks=lambda _number: np.zeros((1, source.rows, source.columns), bool),
    )
    dataset = dcmread(path)
    groups = dataset.PerFrameFunctionalGroupsSequence
    assert [group.FrameContentSequence[0].TemporalPositionIndex for group in groups] == [2, 5]
    assert not dataset.pixel_array.any()
    assert dciodvfy_errors(path) == []


@pytest.mark.parametrize(
    ("frames", "kind", "reason"),
    [
        ([], "binary", "at least one frame"),
        ([(6, (3, 96, 128))], "binary", "none with the number 6"),
        ([(1, (3, 96, 128)), (1, (3, 96, 128))], "binary", "1 follows 1"),
        ([(0, (2, 96, 128))], "binary", "shape"),
        ([(0, (3, 96, 128))], "labelmap", "shape"),
        ([(0, (3, 96, 128))], "volume", "not volume"),
    ],
)
def test_wrong_frames_are_refused(
    frames: list[tuple[int, tuple[int, ...]]], kind: str, reason: str, tmp_path: Path
) -> None:
    source = source_of("gray_cine", tmp_path)
    with pytest.raises(SegcamError, match=reason):
        segmentation(
            source, SEGMENTS, ((number, np.zeros(shape, bool)) for number, shape in frames), kind=cast("Any", kind)
        )


def test_wrong_values_are_refused(tmp_path: Path) -> None:
    source = source_of("gray_cine", tmp_path)
    values = np.zeros((3, source.rows, source.columns), np.float32)
    for wrong in (np.nan, 1.01, -0.5):
        values[1, 4, 5] = wrong
        with pytest.raises(SegcamError, match="between 0 and 1"):
            segmentation(source, SEGMENTS, [(0, values)], kind="fractional")
    with pytest.raises(SegcamError, match="no masks of true and false"):
        segmentation(source, SEGMENTS, [(0, values)], kind="binary")
    with pytest.raises(SegcamError, match="not 0 to 3"):
        segmentation(source, SEGMENTS, [(0, np.full((source.rows, source.columns), 4))], kind="labelmap")
    with pytest.raises(SegcamError, match="the label fibroid"):
        segmentation(source, [SEGMENTS[0], SEGMENTS[0]], [], kind="binary")
    with pytest.raises(SegcamError, match="nothing says which"):
        segmentation(source, [Segment("fibroid")], [(0, values[:1] > 2)], kind="binary")


def test_labels_that_are_the_same_once_they_are_cut_stay_apart(tmp_path: Path) -> None:
    names = ["layer " * 12 + "one" + " layer" * 12, "layer " * 12 + "two" + " layer" * 12, "a\\b"]
    segments = [Segment(name, algorithm=NETWORK) for name in names]
    path = write_masks(tmp_path / "segmentation.dcm", source_of("still", tmp_path), segments=segments)
    labels = [item.SegmentLabel for item in dcmread(path).SegmentSequence]
    assert len(set(labels)) == 3
    assert max(map(len, labels)) <= 64
    assert labels[2] == "a/b"
    assert dciodvfy_errors(path) == []


def test_masks_become_labels_unless_they_overlap() -> None:
    masks = np.zeros((2, 3, 4), bool)
    masks[0, 0, 1:] = masks[1, 2, :2] = True
    assert np.array_equal(labels_of(masks), [[0, 1, 1, 1], [0, 0, 0, 0], [2, 2, 0, 0]])
    masks[1, 0, 3] = True
    with pytest.raises(SegcamError, match="overlap in 1 pixels"):
        labels_of(masks)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_run_lengths_keep_every_value(dtype: type) -> None:
    """The decoder here is written from the text of the standard (PS3.5, annex G)."""
    random = np.random.default_rng(7)
    for width in (1, 2, 3, 127, 128, 129, 300):
        frame = random.integers(0, 3, (5, width)).astype(dtype) * (200 if dtype is np.uint8 else 30000) % 251
        frame[1], frame[2] = 7, np.arange(width) % 5 // 4
        coded = run_length_encoded(frame)
        assert len(coded) % 2 == 0
        count, *offsets = np.frombuffer(coded[:64], "<u4").tolist()
        ends = [*offsets[1:count], len(coded)]
        planes = [_decoded(coded[start:end], frame.size) for start, end in zip(offsets, ends, strict=False)]
        value = sum(plane.astype(int) << 8 * (count - 1 - byte) for byte, plane in enumerate(planes))
        assert np.array_equal(np.reshape(value, frame.shape), frame)


def _decoded(coded: bytes, size: int) -> np.ndarray[Any, Any]:
    values: list[int] = []
    position = 0
    while len(values) < size:
        control = coded[position]
        if control < 128:
            values += coded[position + 1 : position + 2 + control]
            position += 2 + control
        else:
            assert control != 128
            values += [coded[position + 1]] * (257 - control)
            position += 2
    assert len(values) == size
    return np.array(values)


def test_colors_are_those_of_cielab_of() -> None:
    assert cielab_of("#ffffff") == pytest.approx([65535, 32896, 32896], abs=8)
    assert cielab_of("#000000") == [0, 32896, 32896]
    # Pure red of sRGB: L* 53.24, a* 80.09, b* 67.20 (D65).
    assert cielab_of("#ff0000") == pytest.approx([34891, 53479, 50166], abs=15)
    for color in ("#00e5ff", "#ffd500", "#123456", "#fefefe"):
        assert color_of(cielab_of(color)) == color


def test_numbers_are_said_in_ranges() -> None:
    assert in_ranges([3]) == "3"
    assert in_ranges([7, 1, 2, 3, 5]) == "1-3, 5, 7"
