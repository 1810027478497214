"""Images built to cost hours or gigabytes: each is refused in one line before it is decoded."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile import ends_in_one_line
from PIL import Image
from pydicom import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
    UltrasoundImageStorage,
    generate_uid,
)

from napari_segcam.budget import FRAME_PIXELS, refuse_large_content, refuse_large_frame
from napari_segcam.imaging.compressed_size import stream_shape
from napari_segcam.imaging.opening import open_cine

SIDE = 60_000


def png(width: int, height: int, kind: int = 0, depth: int = 8) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    pixels = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def bmp(side: int) -> bytes:
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, *[0] * 6)


def jpeg(side: int) -> bytes:
    """JPEG of a small image that states a larger size."""
    stream = io.BytesIO()
    Image.new("L", (16, 16)).save(stream, "JPEG")
    content = stream.getvalue()
    position = content.index(b"\xff\xc0") + 5
    return content[:position] + struct.pack(">HH", side, side) + content[position + 4 :]


def progressive_jpeg(scans: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (4000, 4000)).save(stream, "JPEG", progressive=True)
    content = stream.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * scans + b"\xff\xd9"


def jpeg_2000(side: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (16, 16)).save(stream, "JPEG2000", no_jp2=True)
    content = stream.getvalue()
    position = content.index(b"\xff\x51") + 6
    return content[:position] + struct.pack(">II", side, side) + content[position + 8 :]


def tiff(
    width: int, height: int, strip: bytes = b"", compression: int = 1, pages: int = 1, kind: int = 4, samples: int = 1
) -> bytes:
    content = b"II*\0" + struct.pack("<I", 8)
    for page in range(pages):
        tags = [
            *((256, kind, width), (257, kind, height), (258, 3, 8), (259, 3, compression), (262, 3, 1)),
            *((273, 4, 8 + pages * 138), (277, 3, samples), (278, 4, height), (279, 4, len(strip)), (339, 3, 1)),
        ]
        following = 8 + (page + 1) * 138 if page + 1 < pages else 0
        content += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, of, 1, v) for tag, of, v in tags)
        content += struct.pack("<I", following) + bytes(12)
    return content + strip


def gif(width: int, height: int) -> bytes:
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return b"GIF89a" + screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00;"


def avi(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data

    main = struct.pack("<14I", 40_000, 0, 0, 16, 1, 0, 1, 0, width, height, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack("<IHHIIIIIIIIHHHH", 0, 0, 0, 0, 1, 25, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    picture = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", 0, 0, 0, 0, 0)
    header = b"hdrl" + chunk(b"avih", main) + chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", picture))
    frames = b"movi" + chunk(b"00dc", jpeg(65_000))
    return chunk(b"RIFF", b"AVI " + chunk(b"LIST", header) + chunk(b"LIST", frames))


def dicom(
    side: int = 16, *, syntax: str = ExplicitVRLittleEndian, data: bytes = b"\0" * 256, **elements: object
) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = UltrasoundImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.Rows = dataset.Columns = side
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation, dataset.NumberOfFrames = 7, 0, 1
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = data
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = syntax not in (ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def encapsulated(stream: bytes, syntax: str, side: int = 16, **elements: object) -> bytes:
    return dicom(side, syntax=syntax, data=encapsulate([stream]), **elements)


def run_length(segment: bytes, count: int = 1) -> bytes:
    starts = [64 + position * len(segment) for position in range(count)]
    return struct.pack("<16I", count, *starts, *[0] * (15 - count)) + segment * count


def segmented(*numbers: int) -> dict[str, object]:
    parts: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for color in ("Red", "Green", "Blue"):
        parts[f"{color}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        parts[f"Segmented{color}PaletteColorLookupTableData"] = struct.pack(f"<{len(numbers)}H", *numbers)
    return parts


def many_items() -> bytes:
    """Half a million empty fragments, with their number in the header."""
    whole = encapsulated(b"\xff\xd8", JPEGBaseline8Bit, NumberOfFrames=500_000)
    end = whole.rindex(b"\xfe\xff\xdd\xe0")
    return whole[:end] + (b"\xfe\xff\x00\xe0" + bytes(4)) * 500_000 + whole[end:]


def npy(*shape: int, dtype: str = "|u1") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def growing(content: bytes, megabytes: int = 1000) -> bytes:
    """Compress a header and a number of megabytes of zeros with gzip."""
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as file:
        file.write(content)
        for _ in range(megabytes):
            file.write(bytes(10**6))
    return stream.getvalue()


def npz(content: bytes, megabytes: int = 1000) -> bytes:
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.npy", "w") as file,
    ):
        file.write(content)
        for _ in range(megabytes):
            file.write(bytes(10**6))
    return stream.getvalue()


def nrrd(*sizes: int, content: bytes = b"", encoding: str = "gzip") -> bytes:
    words = f"type: uint8\ndimension: {len(sizes)}\nsizes: {' '.join(map(str, sizes))}\nencoding: {encoding}"
    return b"NRRD0004\n" + words.encode() + b"\n\n" + content


def metaimage(*sizes: int, content: bytes = b"") -> bytes:
    words = {
        "ObjectType": "Image",
        "NDims": len(sizes),
        "BinaryData": True,
        "CompressedData": True,
        "DimSize": " ".join(map(str, sizes)),
        "ElementType": "MET_UCHAR",
        "ElementDataFile": "LOCAL",
    }
    return "".join(f"{word} = {value}\n" for word, value in words.items()).encode() + content


STACKS: dict[str, Callable[[], bytes]] = {
    "empty.npy": lambda: npy(10**6, 10**6),
    "objects.npy": lambda: npy(3, dtype="|O") + b"cos\nsystem\n(S'ls'\ntR.",
    "stack.npz": lambda: npz(npy(1000, 1000, 1000)),
    "frame.npz": lambda: npz(npy(40_000, 25_000)),
    "stack.nrrd": lambda: nrrd(1000, 1000, 1000, content=growing(b"")),
    "frame.nrrd": lambda: nrrd(60_000, 60_000, encoding="raw"),
    "stack.mha": lambda: metaimage(1000, 1000, 1000, content=zlib.compress(bytes(10**8), 1)),
}


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_over_the_budget_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(STACKS[name]())
    ends_in_one_line(lambda: open_cine(tmp_path / name)[0])


IMAGES: dict[str, Callable[[], bytes]] = {
    "PNG of 60,000 squared": lambda: png(SIDE, SIDE),
    "PNG of 2 to the 31 in a row": lambda: png(2**31 - 1, 1),
    "PNG of 60,000 squared in 16-bit colors": lambda: png(SIDE, SIDE, 2, 16),
    "PNG just above the budget": lambda: png(8192, FRAME_PIXELS // 8192 + 1),
    "BMP of 60,000 squared": lambda: bmp(SIDE),
    "JPEG of 60,000 squared": lambda: jpeg(SIDE),
    "JPEG of a thousand scans": lambda: progressive_jpeg(1000),
    "TIFF of 60,000 squared": lambda: tiff(SIDE, SIDE),
    "TIFF of 4 billion in a row": lambda: tiff(2**32 - 1, 1),
    "TIFF of 60,000 squared, deflated": lambda: tiff(SIDE, SIDE, zlib.compress(bytes(10**6)), 8),
    "TIFF whose strip grows": lambda: tiff(64, 64, zlib.compress(bytes(4 * 10**8)), 8),
    "TIFF of a huge JPEG": lambda: tiff(64, 64, jpeg(SIDE), 7),
    "GIF of 16,000 squared": lambda: gif(16_000, 16_000),
    "GIF of 60,000 squared": lambda: gif(SIDE, SIDE),
    "AVI of 16,000 squared": lambda: avi(16_000, 16_000),
    "AVI of 64 squared with a JPEG of 65,000 squared": lambda: avi(64, 64),
    "DICOM RLE of 60,000 squared": lambda: encapsulated(run_length(b"\x81\0" * 40), RLELossless, SIDE),
    "DICOM RLE whose runs grow": lambda: encapsulated(run_length(b"\x81\0" * 4_000_000), RLELossless),
    "DICOM of 60,000 squared": lambda: dicom(SIDE),
    "DICOM JPEG 2000 of 60,000 squared": lambda: encapsulated(jpeg_2000(SIDE), JPEG2000Lossless),
    "DICOM JPEG of 60,000 squared": lambda: encapsulated(jpeg(SIDE), JPEGBaseline8Bit),
    "DICOM deflated": lambda: dicom(syntax=DeflatedExplicitVRLittleEndian, data=bytes(5 * 10**8)),
    "DICOM of 2 to the 31 frames": lambda: dicom(NumberOfFrames=2**31 - 1),
    "DICOM of half a million fragments": many_items,
    "DICOM with a palette of straight lines": lambda: dicom(**segmented(0, 1, 0, *(1, 65535, 9) * 10_000)),
    "DICOM with a palette of repetitions": lambda: dicom(**segmented(0, 1, 0, *(2, 60_000, 0, 0) * 10_000)),
}


@pytest.mark.slow
@pytest.mark.parametrize("make", IMAGES.values(), ids=IMAGES.keys())
def test_an_image_over_the_budget_is_refused(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(make())
    ends_in_one_line(lambda: open_cine(path)[0])


def test_the_size_of_a_stream_is_read_from_it() -> None:
    assert stream_shape(jpeg(300)) == (300, 300, 1)
    assert stream_shape(jpeg_2000(300)) == (300, 300, 1)
    assert stream_shape(progressive_jpeg(1)) == (4000, 4000, 1)
    assert stream_shape(jpeg(300)[:20]) is None
    assert stream_shape(b"anything else") is None


def test_images_within_the_budget_pass() -> None:
    refuse_large_frame("image", (1080, 1920, 3), frames=10_000)
    refuse_large_frame("image", (3, 4000, 8000))
    refuse_large_content("volume", 500_000_000)
    ends_in_one_line(lambda: refuse_large_frame("image", (5000, 5000, 3), 8))
    ends_in_one_line(lambda: refuse_large_frame("image", (10, 10), frames=10**6))
    ends_in_one_line(lambda: refuse_large_content("volume", 10**9))


def test_a_large_still_and_a_long_progressive_jpeg_open(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4000, 8000), np.uint8)).save(tmp_path / "large.png")
    assert open_cine(tmp_path / "large.png")[0].shape == (4000, 8000)
    Image.fromarray(np.zeros((400, 800), np.uint8)).save(tmp_path / "scans.jpg", progressive=True)
    assert open_cine(tmp_path / "scans.jpg")[0].shape == (400, 800)
