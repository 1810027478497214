"""Damaged and hostile Segmentations are refused in one line, quickly and with little memory."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import ends_in_one_line
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicom_objects.made_sources import SOURCES
from dicom_objects.segmentation.made_masks import SEGMENTS, source_of, write_masks
from napari_segcam.dicom_objects.segmentation.reading import read_segmentation
from napari_segcam.dicom_objects.segmentation.writing import Kind
from napari_segcam.errors import SegcamError


def read_all(path: Path) -> int:
    """Read every mask; return the number of marked pixels."""
    read = read_segmentation(path)
    pixels = 0
    for segment in read.segments:
        for number in read.frames_of(segment.number)[:20]:
            pixels += int(np.count_nonzero(read.mask(number, segment.number)))
    return pixels


@pytest.mark.parametrize("kind", ["binary", "fractional", "labelmap"])
def test_cut_files_are_refused(kind: Kind, tmp_path: Path) -> None:
    path = write_masks(tmp_path / "whole.dcm", source_of("gray_cine", tmp_path), kind)
    content = path.read_bytes()
    cut = tmp_path / "cut.dcm"
    for length in [*range(0, 2000, 41), *range(2000, len(content), len(content) // 40), len(content) - 2]:
        cut.write_bytes(content[:length])
        with pytest.raises(SegcamError):
            read_all(cut)


@pytest.mark.parametrize("kind", ["binary", "labelmap"])
@pytest.mark.parametrize("is_deflated", [False, True])
def test_damaged_files_give_masks_or_one_line(kind: Kind, *, is_deflated: bool, tmp_path: Path) -> None:
    path = write_masks(tmp_path / "whole.dcm", source_of("still", tmp_path), kind)
    if is_deflated:
        dataset = dcmread(path)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.save_as(path)
    content = path.read_bytes()
    generator, refused = random.Random(22), 0
    damaged_path = tmp_path / "damaged.dcm"
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(generator.choice((1, 3, 20))):
            damaged[generator.randrange(132, min(len(damaged), 4500))] = generator.choice((0, 1, 0x7F, 0xFF, 0xFE))
        damaged_path.write_bytes(damaged)
        try:
            read_all(damaged_path)
        except SegcamError:
            refused += 1
    assert refused > 20


def changed(tmp_path: Path, change: Callable[[Dataset], Any], kind: Kind = "binary") -> Path:
    """Write a Segmentation with a change of its header."""
    dataset = dcmread(write_masks(tmp_path / "whole.dcm", source_of("gray_cine", tmp_path), kind))
    change(dataset)
    dataset.save_as(tmp_path / "changed.dcm")
    return tmp_path / "changed.dcm"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda header: setattr(header, "NumberOfFrames", 10**9), "1,000,000,000 frames"),
        (lambda header: setattr(header, "NumberOfFrames", 17), "describes more than 17"),
        (lambda header: setattr(header, "NumberOfFrames", 19), "describes 18"),
        (lambda header: setattr(header, "NumberOfFrames", 0), "0 frames"),
        (lambda header: setattr(header, "Rows", 65535), "cut short"),
        (lambda header: header.update({"Rows": 65535, "Columns": 65535}), "million pixels"),
        (lambda header: setattr(header, "Rows", 0), "128×0"),
        (lambda header: setattr(header, "Columns", 1290), "cut short"),
        (lambda header: setattr(header, "BitsAllocated", 16), "16 bits"),
        (lambda header: setattr(header, "SegmentationType", "SURFACE"), "SURFACE"),
        (lambda header: setattr(header, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.66.5"), "Surface Segmentation"),
        (lambda header: setattr(header, "SegmentSequence", header.SegmentSequence[:2]), "segment 3"),
        (lambda header: setattr(header.SegmentSequence[1], "SegmentNumber", 1), "same number"),
        (lambda header: setattr(header, "SegmentSequence", []), "no segment"),
        (lambda header: header.pop("SegmentSequence"), "lacks SegmentSequence"),
        (lambda header: header.pop("PixelData"), "lacks PixelData"),
        (lambda header: header.pop("Rows"), "lacks Rows"),
    ],
)
def test_impossible_headers_are_refused(change: Callable[[Dataset], Any], reason: str, tmp_path: Path) -> None:
    path = changed(tmp_path, change)
    assert reason in ends_in_one_line(lambda: read_all(path))


def test_labels_without_a_segment_are_refused(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda header: setattr(header, "SegmentSequence", header.SegmentSequence[:1]), "labelmap")
    assert "does not describe" in ends_in_one_line(lambda: read_all(path))


def test_fractions_without_their_maximum_are_refused(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda header: header.pop("MaximumFractionalValue"), "fractional")
    assert "MaximumFractionalValue" in ends_in_one_line(lambda: read_all(path))


def test_impossible_frame_numbers_are_refused(tmp_path: Path) -> None:
    def refer_to(number: int) -> Callable[[Dataset], None]:
        def change(header: Dataset) -> None:
            derivation = header.PerFrameFunctionalGroupsSequence[4].DerivationImageSequence[0]
            derivation.SourceImageSequence[0].ReferencedFrameNumber = number

        return change

    for number, reason in ((2**31 - 1, "frames"), (0, "below 1"), (-7, "below 1")):
        path = changed(tmp_path, refer_to(number))
        assert reason in ends_in_one_line(lambda path=path: read_all(path))
    read = read_segmentation(changed(tmp_path, refer_to(7)))
    assert "refers to frame 7" in ends_in_one_line(lambda: read.laid_over(source_of("gray_cine", tmp_path)))


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no image" * 100, encoding="utf-8")
    assert "not a DICOM file" in ends_in_one_line(lambda: read_segmentation(text))
    assert "There is no file" in ends_in_one_line(lambda: read_segmentation(tmp_path / "nothing.dcm"))
    image = SOURCES["gray_cine"](tmp_path)
    assert "Ultrasound Multi-frame Image" in ends_in_one_line(lambda: read_segmentation(image))


def header_and(content: bytes, tmp_path: Path) -> Path:
    """Write the file meta information of a Segmentation with other content after it."""
    path = write_masks(tmp_path / "whole.dcm", source_of("still", tmp_path), segments=SEGMENTS[:1])
    whole = path.read_bytes()
    (length,) = struct.unpack("<L", whole[140:144])
    path.write_bytes(whole[: 144 + length] + content)
    return path


ITEM, UNDEFINED = b"\xfe\xff\x00\xe0", b"\xff\xff\xff\xff"


def sequence(tag: bytes, content: bytes, length: int | None = None) -> bytes:
    stated = UNDEFINED if length is None else struct.pack("<L", length)
    return tag + b"SQ\0\0" + stated + content


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(sequence(b"\x00\x52\x30\x92", ITEM + bytes(4)) * 40, id="sequences that do not end"),
        pytest.param((b"\x00\x52\x30\x92SQ\0\0" + UNDEFINED + ITEM + UNDEFINED) * 100_000, id="nested without end"),
        pytest.param(sequence(b"\x00\x52\x30\x92", (ITEM + bytes(4)) * 6_000_000, 48_000_000), id="millions of items"),
        pytest.param(b"\x08\x00\x05\x00CS\x00\x00" * 6_000_000, id="millions of elements"),
        pytest.param(
            sequence(
                b"\x62\x00\x02\x00", ITEM + struct.pack("<L", 40_000_000) + b"\x62\x00\x04\x00US\x00\x00" * 5_000_000
            ),
            id="millions of elements in an item",
        ),
        pytest.param(b"\x62\x00\x02\x00SQ\0\0\xf0\xff\xff\xff" + ITEM, id="longer than the file"),
        pytest.param(b"\xff" * 200, id="no elements"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_made_up_headers_are_refused(content: bytes, tmp_path: Path) -> None:
    path = header_and(content, tmp_path)
    ends_in_one_line(lambda: read_all(path))


@pytest.mark.slow
def test_content_that_inflates_without_end_is_refused(tmp_path: Path) -> None:
    path = write_masks(tmp_path / "whole.dcm", source_of("still", tmp_path), segments=SEGMENTS[:1])
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    whole = path.read_bytes()
    (length,) = struct.unpack("<L", whole[140:144])
    deflate = zlib.compressobj(wbits=-15)
    zeros = bytes(2**24)
    bomb = b"".join(deflate.compress(zeros) for _ in range(36)) + deflate.flush()
    path.write_bytes(whole[: 144 + length] + bomb)
    assert "memory once it is decompressed" in ends_in_one_line(lambda: read_all(path))
