from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, fragment_frame, itemize_frame
from pydicom.pixels import get_encoder
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.value_range import to_unit

DATA = Path(__file__).parents[3] / "../shared/data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the real ultrasound files are not here")

T, Y, X = 4, 12, 20
TAGS = {"FrameTime": 0x00181063, "FrameTimeVector": 0x00181065}


def noise(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def write_dicom(
    path: Path,
    frames: np.ndarray,
    *,
    syntax: str = ExplicitVRLittleEndian,
    pixel_data: bytes | None = None,
    **elements: Any,
) -> Path:
    """Write ``(T, Y, X)`` or ``(T, Y, X, 3)`` frames; ``pixel_data`` replaces their bytes."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = UltrasoundMultiFrameImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.Modality = "US"
    header.NumberOfFrames, header.Rows, header.Columns = frames.shape[:3]
    header.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    header.PhotometricInterpretation = "RGB" if frames.ndim == 4 else "MONOCHROME2"
    if frames.ndim == 4:
        header.PlanarConfiguration = 0
    header.BitsAllocated = header.BitsStored = 8 * frames.dtype.itemsize
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = int(frames.dtype.kind == "i")
    for keyword, value in elements.items():
        setattr(header, keyword, value)
    header.PixelData = frames.tobytes() if pixel_data is None else pixel_data
    header["PixelData"].VR = "OB" if syntax.is_encapsulated or frames.dtype.itemsize == 1 else "OW"
    header.save_as(path, enforce_file_format=True)
    return path


def encoded(frames: np.ndarray, syntax: str, **options: Any) -> list[bytes]:
    properties = {
        "rows": frames.shape[1],
        "columns": frames.shape[2],
        "samples_per_pixel": 3 if frames.ndim == 4 else 1,
        "bits_allocated": 8 * frames.dtype.itemsize,
        "bits_stored": 8 * frames.dtype.itemsize,
        "pixel_representation": 0,
        "photometric_interpretation": "RGB" if frames.ndim == 4 else "MONOCHROME2",
        "planar_configuration": 0,
        "number_of_frames": 1,
    }
    # If GDCM is installed, frames as small as these make it end the process.
    codec = next(name for name in get_encoder(syntax).available_plugins if name != "gdcm")
    return [get_encoder(syntax).encode(frame, encoding_plugin=codec, **(properties | options)) for frame in frames]


def saved(frame: np.ndarray, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, form, **options)
    return buffer.getvalue()


def smooth_colors() -> np.ndarray:
    """Colors that JPEG keeps within a few levels: ``(T, 16, 32, 3)``."""
    ramp = np.linspace(0, 255, 32)
    frame = np.stack(np.broadcast_arrays(ramp, 255 - ramp, np.linspace(20, 90, 16)[:, None]), axis=-1)
    return np.stack([np.roll(frame, 5 * index, axis=0) for index in range(T)]).astype(np.uint8)


def region(**changes: Any) -> Dataset:
    values = {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionLocationMinX0": 2,
        "RegionLocationMinY0": 1,
        "RegionLocationMaxX1": 17,
        "RegionLocationMaxY1": 9,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.02,
        "PhysicalDeltaY": 0.03,
    }
    item = Dataset()
    for keyword, value in (values | changes).items():
        setattr(item, keyword, value)
    return item


ECG = {"RegionSpatialFormat": 4, "RegionDataType": 10, "PhysicalUnitsXDirection": 4, "PhysicalDeltaX": 0.001}


# Pixels


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((T, Y, X), np.uint8),
        ((T, Y, X), np.uint16),
        ((1, Y, X), np.uint8),
        ((T, Y, X, 3), np.uint8),
        ((3, 5, 7), np.uint8),
    ],
)
def test_frames_come_back_bit_for_bit(tmp_path: Path, syntax: Any, shape: Any, dtype: Any) -> None:
    frames = noise(*shape, dtype=dtype)
    pixel_data = None
    if syntax == RLELossless:
        pixel_data = encapsulate(encoded(frames, syntax))
    elif syntax == JPEG2000Lossless:
        pixel_data = encapsulate([saved(frame, "JPEG2000", irreversible=False) for frame in frames])
    cine = open_cine(write_dicom(tmp_path / "clip.dcm", frames, syntax=syntax, pixel_data=pixel_data))

    assert (len(cine), cine.frame_shape, cine.dtype, cine.name) == (shape[0], shape[1:], dtype, "clip")
    assert cine.value_range == (0, np.iinfo(dtype).max)
    for index in (shape[0] - 1, 0):
        frame = cine[index]
        np.testing.assert_array_equal(frame, frames[index])
        assert frame.dtype == cine.dtype


def test_big_endian_and_planar_colors(tmp_path: Path) -> None:
    deep = noise(T, Y, X, dtype=np.uint16)
    swapped = deep.astype(">u2").tobytes()
    path = write_dicom(tmp_path / "big.dcm", deep, syntax=ExplicitVRBigEndian, pixel_data=swapped)
    np.testing.assert_array_equal(open_cine(path)[2], deep[2])

    colors = noise(T, Y, X, 3)
    planes = np.moveaxis(colors, -1, 1).tobytes()
    path = write_dicom(tmp_path / "planar.dcm", colors, pixel_data=planes, PlanarConfiguration=1)
    np.testing.assert_array_equal(open_cine(path)[2], colors[2])


def test_monochrome1_is_inverted_and_bits_stored_set_black_and_white(tmp_path: Path) -> None:
    frames = noise(T, Y, X, dtype=np.uint16) >> 4
    elements = {"BitsStored": 12, "HighBit": 11}
    plain = open_cine(write_dicom(tmp_path / "m2.dcm", frames, **elements))
    turned = open_cine(write_dicom(tmp_path / "m1.dcm", frames, PhotometricInterpretation="MONOCHROME1", **elements))
    assert plain.value_range == turned.value_range == (0, 4095)
    np.testing.assert_array_equal(plain[1], frames[1])
    np.testing.assert_array_equal(turned[1], 4095 - frames[1])
    assert turned[1].dtype == np.uint16

    signed = noise(T, Y, X, dtype=np.uint16).view(np.int16)
    cine = open_cine(write_dicom(tmp_path / "s.dcm", signed, PhotometricInterpretation="MONOCHROME1"))
    assert cine.value_range == (-32768, 32767)
    np.testing.assert_array_equal(cine[3], ~signed[3])


def voi(frames: np.ndarray, path: Path, **elements: Any) -> tuple[Cine, np.ndarray]:
    """Return a file's cine, and its first frame from 0 to 1."""
    cine = open_cine(write_dicom(path / "voi.dcm", frames, **elements))
    return cine, to_unit(cine[0], *cine.value_range)


BYTES_IN_WORDS = np.arange(240, dtype=np.uint16).reshape(1, 12, 20)


@pytest.mark.parametrize(
    ("elements", "value_range"),
    [
        ({}, (0, 255)),
        ({"WindowCenter": 128, "WindowWidth": 256}, (0, 255)),
        ({"WindowCenter": 100, "WindowWidth": 101}, (49.5, 149.5)),
        ({"WindowCenter": 128, "WindowWidth": 256, "VOILUTFunction": "LINEAR_EXACT"}, (0, 256)),
        ({"WindowCenter": [128, 40], "WindowWidth": [256, 80]}, (0, 255)),
        ({"WindowCenter": 90, "WindowWidth": 101, "RescaleSlope": 0.5, "RescaleIntercept": -10}, (99, 299)),
        # A range that makes no sense, or holds no pixel of the image, does not count.
        ({"WindowCenter": 128, "WindowWidth": 0}, (0, 255)),
        ({"WindowCenter": 128, "WindowWidth": -5}, (0, 255)),
        ({"WindowCenter": 40000, "WindowWidth": 1000}, (0, 255)),
        ({"BitsStored": 12, "HighBit": 11, "WindowCenter": "", "WindowWidth": ""}, (0, 255)),
        ({"SmallestImagePixelValue": 0, "LargestImagePixelValue": 900}, (0, 1023)),
        ({"SmallestImagePixelValue": 0, "LargestImagePixelValue": 65535}, (0, 255)),
    ],
)
def test_black_and_white_are_from_the_header_or_else_from_the_values(
    tmp_path: Path, elements: Any, value_range: Any
) -> None:
    cine, _ = voi(BYTES_IN_WORDS, tmp_path, **elements)
    assert cine.value_range == pytest.approx(value_range)
    np.testing.assert_array_equal(cine[0], BYTES_IN_WORDS[0])


@pytest.mark.parametrize("depth", [8, 12])
def test_an_image_looks_the_same_in_every_depth_and_type(tmp_path: Path, depth: int) -> None:
    picture = noise(1, Y, X)
    expected = picture[0] / 255
    scaled = picture.astype(np.uint16) << (depth - 8)
    tifffile.imwrite(tmp_path / "signed.tif", scaled[0].astype(np.int16))
    tifffile.imwrite(tmp_path / "plain.tif", scaled[0])
    Image.fromarray(scaled[0]).save(tmp_path / "deep.png")
    write_dicom(tmp_path / "plain.dcm", scaled)
    write_dicom(tmp_path / "signed.dcm", scaled.astype(np.int16))
    write_dicom(tmp_path / "turned.dcm", 65535 - scaled, PhotometricInterpretation="MONOCHROME1")
    for path in sorted(tmp_path.iterdir()):
        cine = open_cine(path)
        np.testing.assert_allclose(to_unit(cine[0], *cine.value_range), expected, atol=0.005, err_msg=path.name)


def test_gray_elements_that_are_not_used_are_noted(tmp_path: Path) -> None:
    cine, _ = voi(BYTES_IN_WORDS, tmp_path, WindowCenter=[128, 40], WindowWidth=[256, 80])
    assert cine.notes == ("The file has 2 windows: the first is used.",)
    assert cine.black_and_white.reason == "the file's window (center 128, width 256)"
    cine, _ = voi(BYTES_IN_WORDS, tmp_path, WindowCenter=128, WindowWidth=0)
    assert "makes no sense" in cine.notes[0]
    cine, _ = voi(BYTES_IN_WORDS, tmp_path, WindowCenter=40000, WindowWidth=1000)
    assert "no pixel is between them" in cine.notes[0]
    cine, _ = voi(BYTES_IN_WORDS, tmp_path, WindowCenter=2048, WindowWidth=4096)
    assert "uses only 6 % of the range" in cine.notes[0]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_curves_are_applied_to_the_values(tmp_path: Path, photometric: str) -> None:
    words = BYTES_IN_WORDS[0].astype(float)

    def gray_of(**elements: Any) -> np.ndarray:
        gray = voi(BYTES_IN_WORDS, tmp_path, PhotometricInterpretation=photometric, **elements)[1]
        return 1 - gray if photometric == "MONOCHROME1" else gray

    sigmoid = 1 / (1 + np.exp(-4 * (words - 100) / 80))
    elements = {"WindowCenter": 100, "WindowWidth": 80}
    np.testing.assert_allclose(gray_of(VOILUTFunction="SIGMOID", **elements), sigmoid, atol=1e-4)
    linear = np.clip((words - 60) / 79, 0, 1)
    np.testing.assert_allclose(gray_of(**elements), linear, atol=1e-4)
    # A negative slope makes large stored values dark.
    np.testing.assert_allclose(
        gray_of(WindowCenter=-100, WindowWidth=80, RescaleSlope=-1, RescaleIntercept=0),
        np.clip((-words + 100.5) / 79 + 0.5, 0, 1),
        atol=1e-4,
    )
    table = (np.arange(200) ** 2 // 157).astype(np.uint16)
    np.testing.assert_allclose(
        gray_of(VOILUTSequence=[lookup(20, table, 8)]), table[np.clip(words - 20, 0, 199).astype(int)] / 255, atol=1e-4
    )
    np.testing.assert_allclose(
        gray_of(ModalityLUTSequence=[lookup(0, table, 16)], WindowCenter=128, WindowWidth=256),
        table[np.clip(words, 0, 199).astype(int)] / 255,
        atol=1e-4,
    )


def lookup(first: int, entries: Any, bits: int) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = entries.astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    item.ModalityLUTType = "US"
    return item


def test_the_window_of_the_functional_groups_counts(tmp_path: Path) -> None:
    def group(center: float) -> Dataset:
        item, window = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = center, 256
        item.FrameVOILUTSequence = [window]
        return item

    frames = BYTES_IN_WORDS.repeat(2, 0)
    path = write_dicom(tmp_path / "shared.dcm", frames, SharedFunctionalGroupsSequence=[group(128)])
    assert open_cine(path).value_range == (0, 255)
    path = write_dicom(tmp_path / "each.dcm", frames, PerFrameFunctionalGroupsSequence=[group(128), group(128)])
    assert open_cine(path).black_and_white.reason.startswith("the file's window")
    path = write_dicom(tmp_path / "differ.dcm", frames, PerFrameFunctionalGroupsSequence=[group(128), group(50)])
    assert "differs from frame to frame" in open_cine(path).notes[0]


@pytest.mark.parametrize("scale", [1, 256])
def test_palette_colors_are_read_even_if_16_bit_entries_hold_8_bit_values(tmp_path: Path, scale: int) -> None:
    indices = noise(T, Y, X)
    colors = noise(3, 256, seed=1)
    elements = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, entries in zip(("Red", "Green", "Blue"), colors, strict=True):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        elements[f"{name}PaletteColorLookupTableData"] = (entries.astype(np.uint16) * scale).tobytes()
    cine = open_cine(write_dicom(tmp_path / "palette.dcm", indices, **elements))
    assert (cine.frame_shape, cine.dtype, cine.value_range) == ((Y, X, 3), np.uint8, (0, 255))
    np.testing.assert_array_equal(cine[2], np.moveaxis(colors[:, indices[2]], 0, -1))


def test_uncompressed_ybr_becomes_rgb(tmp_path: Path) -> None:
    # Full-range BT.601 by its own formula: Y, 128 + 0.564 (B − Y), 128 + 0.713 (R − Y), the blue in pairs of columns.
    rgb = smooth_colors().repeat(2, axis=2).astype(float)
    y = rgb @ [0.299, 0.587, 0.114]
    cb, cr = 128 + 0.564 * (rgb[..., 2] - y), 128 + 0.713 * (rgb[..., 0] - y)
    full = np.stack([y, cb, cr], axis=-1).round().clip(0, 255).astype(np.uint8)
    halved = np.stack(
        [full[:, :, 0::2, 0], full[:, :, 1::2, 0], full[:, :, 0::2, 1], full[:, :, 0::2, 2]], axis=-1
    ).tobytes()
    for name, pixel_data in [("YBR_FULL", full.tobytes()), ("YBR_FULL_422", halved), ("YBR_FULL_422", full.tobytes())]:
        path = write_dicom(tmp_path / "ybr.dcm", full, pixel_data=pixel_data, PhotometricInterpretation=name)
        np.testing.assert_allclose(open_cine(path)[3].astype(float), rgb[3], atol=3, err_msg=name)


@pytest.mark.parametrize("quality", [{"quality": 95, "subsampling": "4:2:2"}, {"quality": 90, "subsampling": "4:4:4"}])
def test_jpeg_equals_pillow(tmp_path: Path, quality: Any) -> None:
    streams = [saved(frame, "JPEG", **quality) for frame in smooth_colors()]
    path = write_dicom(
        tmp_path / "clip.dcm",
        smooth_colors(),
        syntax=JPEGBaseline8Bit,
        pixel_data=encapsulate(streams),
        PhotometricInterpretation="YBR_FULL_422",
    )
    for frame, stream in zip(open_cine(path), streams, strict=True):
        direct = np.asarray(Image.open(io.BytesIO(stream)))
        np.testing.assert_allclose(frame.astype(int), direct, atol=1)


def test_a_jpeg_with_an_adobe_marker_is_not_converted_twice(tmp_path: Path) -> None:
    jfif = saved(smooth_colors()[0], "JPEG", quality=95)
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x01"
    stream = jfif[:2] + adobe + jfif[4 + int.from_bytes(jfif[4:6], "big") :]
    path = write_dicom(
        tmp_path / "scan.dcm",
        smooth_colors()[:1],
        syntax=JPEGBaseline8Bit,
        pixel_data=encapsulate([stream]),
        PhotometricInterpretation="YBR_FULL_422",
    )
    np.testing.assert_allclose(open_cine(path)[0].astype(int), np.asarray(Image.open(io.BytesIO(jfif))), atol=1)


def without_markers(stream: bytes, *, names: Any = None) -> bytes:
    """Return a JPEG stream without its color markers, and with other component names."""
    assert stream[2:4] == b"\xff\xe0"
    stream = bytearray(stream[:2] + stream[4 + int.from_bytes(stream[4:6], "big") :])
    if names is not None:
        frame, scan = stream.index(b"\xff\xc0") + 10, stream.index(b"\xff\xda") + 5
        for at, name in enumerate(names):
            stream[frame + 3 * at] = stream[scan + 2 * at] = name
    return bytes(stream)


def gray_with_a_spot() -> np.ndarray:
    picture = np.linspace(20, 220, 32 * 48).reshape(32, 48).astype(np.uint8)[..., None].repeat(3, axis=-1)
    picture[8:24, 8:24] = 200, 60, 20
    return picture


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("names", [None, (0, 1, 2)])
def test_a_jpeg_without_a_marker_is_ycbcr_for_any_header(tmp_path: Path, subsampling: str, names: Any) -> None:
    picture = gray_with_a_spot()
    stream = saved(picture, "JPEG", quality=95, subsampling=subsampling)
    elements = {"syntax": JPEGBaseline8Bit, "PhotometricInterpretation": "RGB"}
    bare = without_markers(stream, names=names)
    path = write_dicom(tmp_path / "a.dcm", picture[None], pixel_data=encapsulate([bare]), **elements)
    direct = np.asarray(Image.open(io.BytesIO(stream)))
    np.testing.assert_allclose(open_cine(path)[0].astype(int), direct, atol=1)


@pytest.mark.parametrize("names", [None, b"RGB"])
def test_a_jpeg_without_a_marker_that_holds_rgb_is_read_as_rgb(tmp_path: Path, names: bytes | None) -> None:
    picture = gray_with_a_spot()
    # Pillow treats them as YCbCr and stores them as they are.
    buffer = io.BytesIO()
    Image.merge("YCbCr", Image.fromarray(picture).split()).save(buffer, "JPEG", quality=95, subsampling="4:4:4")
    bare = without_markers(buffer.getvalue(), names=names)
    elements = {"syntax": JPEGBaseline8Bit, "PhotometricInterpretation": "RGB"}
    path = write_dicom(tmp_path / "a.dcm", picture[None], pixel_data=encapsulate([bare]), **elements)
    np.testing.assert_allclose(open_cine(path)[0].astype(int), picture, atol=40)
    np.testing.assert_allclose(open_cine(path)[0].mean((0, 1)), picture.mean((0, 1)), atol=1)


@pytest.mark.parametrize("irreversible", [True, False])
def test_jpeg_2000_colors(tmp_path: Path, irreversible: bool) -> None:
    streams = [
        saved(frame, "JPEG2000", irreversible=irreversible, quality_layers=[1.5], mct=1) for frame in smooth_colors()
    ]
    path = write_dicom(
        tmp_path / "clip.dcm",
        smooth_colors(),
        syntax=JPEG2000,
        pixel_data=encapsulate(streams),
        PhotometricInterpretation="YBR_ICT" if irreversible else "YBR_RCT",
    )
    np.testing.assert_allclose(open_cine(path)[2].astype(int), smooth_colors()[2], atol=8)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEGLSNearLossless])
def test_jpeg_ls(tmp_path: Path, syntax: Any) -> None:
    if not get_encoder(syntax).is_available:
        pytest.skip("pyjpegls is not installed here")
    frames = noise(T, Y, X)
    allowed = 2 * (syntax == JPEGLSNearLossless)
    pixel_data = encapsulate(encoded(frames, syntax, jls_error=allowed))
    cine = open_cine(write_dicom(tmp_path / "clip.dcm", frames, syntax=syntax, pixel_data=pixel_data))
    np.testing.assert_allclose(cine[2].astype(int), frames[2], atol=allowed)


# Frames in the file


def fragmented(streams: list[bytes], table: bool) -> bytes:
    """Return pixel data whose frames have three fragments each."""
    frames = [b"".join(itemize_frame(stream, nr_fragments=3)) for stream in streams]
    offsets = np.cumsum([0, *(len(frame) for frame in frames[:-1])]).astype("<u4").tobytes() if table else b""
    return b"\xfe\xff\x00\xe0" + len(offsets).to_bytes(4, "little") + offsets + b"".join(frames)


@pytest.mark.parametrize("table", [True, False])
def test_frames_in_several_fragments(tmp_path: Path, table: bool) -> None:
    # Long padding hides the end marker, so that only the table separates the frames.
    padding = bytes(24) if table else b""
    streams = [saved(frame, "JPEG", quality=95) + padding for frame in smooth_colors()]
    assert len(list(fragment_frame(streams[0], 3))) == 3
    path = write_dicom(
        tmp_path / "clip.dcm",
        smooth_colors(),
        syntax=JPEGBaseline8Bit,
        pixel_data=fragmented(streams, table),
        PhotometricInterpretation="YBR_FULL_422",
    )
    cine = open_cine(path)
    assert len(cine) == T
    for index in (3, 1):
        direct = np.asarray(Image.open(io.BytesIO(streams[index])))
        np.testing.assert_allclose(cine[index].astype(int), direct, atol=1)


def test_a_single_frame_in_several_fragments_and_no_number_of_frames(tmp_path: Path) -> None:
    stream = saved(smooth_colors()[0], "JPEG", quality=95)
    path = write_dicom(
        tmp_path / "scan.dcm",
        smooth_colors()[:1],
        syntax=JPEGBaseline8Bit,
        pixel_data=fragmented([stream], table=False),
        PhotometricInterpretation="YBR_FULL_422",
        NumberOfFrames=None,
    )
    cine = open_cine(path)
    assert len(cine) == 1
    np.testing.assert_allclose(cine[0].astype(int), np.asarray(Image.open(io.BytesIO(stream))), atol=1)


def test_a_wrong_offset_table_does_no_harm(tmp_path: Path) -> None:
    frames = noise(T, Y, X)
    pixel_data = bytearray(encapsulate(encoded(frames, RLELossless), has_bot=True))
    pixel_data[12:16] = b"\xff\xff\xff\x7f"
    path = write_dicom(tmp_path / "clip.dcm", frames, syntax=RLELossless, pixel_data=bytes(pixel_data))
    np.testing.assert_array_equal(open_cine(path)[3], frames[3])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path, syntax: Any) -> None:
    frames = np.zeros((200, 64, 64), np.uint8)
    pixel_data = encapsulate(encoded(frames, syntax)) if syntax.is_encapsulated else None
    path = write_dicom(tmp_path / "clip.dcm", frames, syntax=syntax, pixel_data=pixel_data)
    open_cine(path)[0]  # loads libraries once
    tracemalloc.start()
    open_cine(path)[150]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < frames.nbytes / 4


# Time


@pytest.mark.parametrize(
    ("elements", "frame_rate"),
    [
        ({}, None),
        ({"FrameIncrementPointer": TAGS["FrameTime"], "FrameTime": "40", "CineRate": "10"}, 25),
        ({"FrameIncrementPointer": TAGS["FrameTimeVector"], "FrameTimeVector": ["0", "50", "40", "60"]}, 20),
        ({"FrameTime": "40", "RecommendedDisplayFrameRate": "12", "CineRate": "10"}, 12),
        ({"FrameIncrementPointer": TAGS["FrameTime"], "FrameTime": "0", "CineRate": "10"}, 10),
        ({"FrameIncrementPointer": TAGS["FrameTime"], "RecommendedDisplayFrameRate": "15"}, 15),
        ({"RecommendedDisplayFrameRate": "0", "CineRate": "-3"}, None),
        ({"FrameIncrementPointer": [TAGS["FrameTime"], 0x00540080], "FrameTime": "100"}, 10),
    ],
)
def test_frame_rate(tmp_path: Path, elements: Any, frame_rate: int | None) -> None:
    cine = open_cine(write_dicom(tmp_path / "clip.dcm", noise(T, Y, X), **elements))
    assert cine.frame_rate == (None if frame_rate is None else pytest.approx(frame_rate))


def test_a_frame_time_that_is_not_a_number_counts_as_missing(tmp_path: Path) -> None:
    elements = {"FrameIncrementPointer": TAGS["FrameTime"], "FrameTime": "40", "CineRate": "10"}
    path = write_dicom(tmp_path / "clip.dcm", noise(T, Y, X), **elements)
    content = path.read_bytes()
    assert content.count(b"DS\x02\x0040") == 1
    path.write_bytes(content.replace(b"DS\x02\x0040", b"DS\x02\x00? "))
    assert open_cine(path).frame_rate == 10


@pytest.mark.parametrize(
    ("elements", "rate", "note"),
    [
        ({"FrameTime": 40}, 25, None),
        ({"FrameTimeVector": [0, 40, 40, 40]}, 25, None),
        ({"FrameTime": 40, "CineRate": 10}, 10, None),
        ({"FrameTime": 0.0333}, None, "FrameTime is 0.0333, which is not possible"),
        ({"FrameTime": 0.0333, "FrameIncrementPointer": TAGS["FrameTime"], "CineRate": 30}, 30, "not possible"),
        ({"FrameTime": -40}, None, "FrameTime is -40"),
        ({"FrameTime": 0}, None, None),
        ({"CineRate": 900000}, None, "CineRate is 900000"),
        ({"FrameTimeVector": [0, 20, 20, 80]}, 25, "20 to 80 ms apart: the frame rate is their mean"),
        ({"FrameTimeVector": [40, 40, 40, 40]}, 25, None),
        ({"FrameTimeVector": [0, 40, -40, 40]}, None, "FrameTimeVector is 0, 40, -40, …, which is not possible"),
        ({"FrameTimeVector": [0, 0, 0, 120]}, 25, "0 to 120 ms apart"),
    ],
)
def test_frame_times_without_a_pointer_and_impossible_ones(
    tmp_path: Path, elements: Any, rate: int | None, note: str | None
) -> None:
    cine = open_cine(write_dicom(tmp_path / "clip.dcm", noise(T, Y, X), **elements))
    assert cine.frame_rate == (None if rate is None else pytest.approx(rate))
    assert (note is None and cine.notes == ()) or (note is not None and note in cine.notes[0])


@pytest.mark.parametrize(
    ("elements", "shown"),
    [
        ({"PixelSpacing": [0.0003, 0.0003]}, "0.0003 × 0.0003 mm"),
        ({"PixelSpacing": [-0.3, 0.3]}, "-0.3 × 0.3 mm"),
        ({"PixelSpacing": [30, 30]}, "30 × 30 mm"),
        ({"SequenceOfUltrasoundRegions": [{"PhysicalDeltaX": 3e-4, "PhysicalDeltaY": 3e-4}]}, "0.003 × 0.003 mm"),
        ({"SequenceOfUltrasoundRegions": [{"PhysicalDeltaX": 1e200, "PhysicalDeltaY": 0.03}]}, "0.3 × 1e+201 mm"),
        ({"SequenceOfUltrasoundRegions": [{"PhysicalDeltaX": np.nan, "PhysicalDeltaY": 0.03}]}, "0.3 × nan mm"),
        ({"SequenceOfUltrasoundRegions": [{"PhysicalDeltaX": 1.0, "PhysicalDeltaY": 1.0}]}, "10 × 10 mm"),
    ],
)
def test_impossible_distances_are_not_used_and_noted(tmp_path: Path, elements: Any, shown: str) -> None:
    if "SequenceOfUltrasoundRegions" in elements:
        elements = {key: [region(**values[0])] for key, values in elements.items()}
    cine = open_cine(write_dicom(tmp_path / "clip.dcm", noise(2, 400, 500), **elements))
    assert cine.spacing_mm is None
    assert f"{shown}, which is not possible: it is not used" in cine.notes[0]


def group(**elements: Any) -> Dataset:
    item = Dataset()
    for keyword, (inner, value) in elements.items():
        holder = Dataset()
        setattr(holder, inner, value)
        setattr(item, keyword, [holder])
    return item


@pytest.mark.parametrize("volume", [True, False])
def test_slices_of_a_volume_are_not_moments_and_have_their_own_spacing(tmp_path: Path, volume: bool) -> None:
    places = [group(PlanePositionVolumeSequence=("ImagePositionVolume", [0.0, 0.0, float(z)])) for z in range(T)]
    path = write_dicom(
        tmp_path / "volume.dcm",
        noise(T, Y, X),
        FrameTime=40,
        SharedFunctionalGroupsSequence=[group(PixelMeasuresSequence=("PixelSpacing", [0.5, 0.4]))],
        **({"PerFrameFunctionalGroupsSequence": places} if volume else {}),
    )
    cine = open_cine(path)
    assert cine.spacing_mm == (0.5, 0.4)
    assert (cine.are_slices, cine.frame_rate) == ((True, None) if volume else (False, 25))
    assert any("slices of a volume" in note for note in cine.notes) == volume


# Space

TISSUE_BOX = (slice(1, 10), slice(2, 18))


@pytest.mark.parametrize(
    ("regions", "spacing", "box"),
    [
        ([region()], (0.3, 0.2), TISSUE_BOX),
        ([region(**ECG), region()], (0.3, 0.2), TISSUE_BOX),
        ([region(**ECG)], None, None),
        ([region(RegionDataType=2)], (0.3, 0.2), TISSUE_BOX),
        ([region(PhysicalDeltaY=-0.03)], (0.3, 0.2), TISSUE_BOX),
        # Not in cm, or not at all.
        ([region(PhysicalUnitsYDirection=4)], None, TISSUE_BOX),
        ([region(PhysicalDeltaX=0.0)], None, TISSUE_BOX),
        # A box up to the very edge, and ending one beyond it.
        ([region(RegionLocationMaxX1=X - 1)], (0.3, 0.2), (slice(1, 10), slice(2, X))),
        ([region(RegionLocationMaxX1=X)], (0.3, 0.2), (slice(1, 10), slice(2, X))),
        # Boxes of a larger frame, for the tissue or another region.
        ([region(RegionLocationMaxX1=X + 1)], None, None),
        ([region(RegionLocationMaxY1=Y + 1)], None, None),
        ([region(), region(**ECG, RegionLocationMaxY1=300)], None, None),
        # Two displays: the box around both, and a spacing only if both have the same.
        ([region(RegionLocationMaxX1=9), region(RegionLocationMinX0=10)], (0.3, 0.2), TISSUE_BOX),
        ([region(RegionLocationMaxY1=3), region(RegionLocationMinY0=6)], (0.3, 0.2), TISSUE_BOX),
        ([region(RegionDataType=2, RegionLocationMinX0=5, RegionLocationMaxX1=9), region()], (0.3, 0.2), TISSUE_BOX),
        ([region(RegionLocationMaxX1=9), region(RegionLocationMinX0=10, PhysicalDeltaX=0.05)], None, TISSUE_BOX),
    ],
)
def test_calibration(tmp_path: Path, regions: Any, spacing: Any, box: Any) -> None:
    path = write_dicom(
        tmp_path / "clip.dcm", noise(T, Y, X), SequenceOfUltrasoundRegions=regions, PixelSpacing=["9", "9"]
    )
    cine = open_cine(path)
    assert cine.spacing_mm == (None if spacing is None else pytest.approx(spacing))
    assert cine.region == box


def test_pixel_spacing_counts_only_without_regions(tmp_path: Path) -> None:
    cine = open_cine(write_dicom(tmp_path / "a.dcm", noise(T, Y, X), PixelSpacing=["0.4", "0.5"]))
    assert (cine.spacing_mm, cine.region) == ((0.4, 0.5), None)
    assert open_cine(write_dicom(tmp_path / "b.dcm", noise(T, Y, X), PixelSpacing=["0", "0.5"])).spacing_mm is None


# Errors, in words


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"Rows": None}, "lacks Rows"),
        ({"PhotometricInterpretation": "CMYK"}, "CMYK with 1 samples"),
        ({"BitsStored": 9}, "9 bits stored in 8"),
    ],
)
def test_an_unusable_header(tmp_path: Path, elements: Any, message: str) -> None:
    path = write_dicom(tmp_path / "clip.dcm", noise(T, Y, X), **elements)
    with pytest.raises(SegcamError, match=rf"clip\.dcm cannot be read: .*{message}"):
        open_cine(path)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_a_file_that_is_cut_short(tmp_path: Path, syntax: Any) -> None:
    frames = noise(T, Y, X)
    pixel_data = encapsulate(encoded(frames, syntax)) if syntax.is_encapsulated else None
    path = write_dicom(tmp_path / "clip.dcm", frames, syntax=syntax, pixel_data=pixel_data)
    path.write_bytes(path.read_bytes()[:-50])
    cine = open_cine(path)
    assert cine.notes == (f"The file is cut short: of its {T} frames only {T - 1} are complete.",)
    np.testing.assert_array_equal(np.stack(list(cine)), frames[:-1])
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(frames.tobytes()[:4]) + 60])
    with pytest.raises(SegcamError, match="none of its frames is complete"):
        open_cine(path)


@pytest.mark.parametrize("stated", [None, 0, 1, T - 1])
@pytest.mark.parametrize("kind", ["native", "RLE", "RLE in fragments", "JPEG", "JPEG in fragments"])
def test_frames_beyond_the_number_that_the_header_gives_are_read(tmp_path: Path, kind: str, stated: Any) -> None:
    frames = noise(T, 40, 50)
    syntax, pixel_data = ExplicitVRLittleEndian, None
    if kind != "native":
        syntax = RLELossless if kind.startswith("RLE") else JPEGBaseline8Bit
        streams = encoded(frames, syntax) if syntax == RLELossless else [saved(frame, "JPEG") for frame in frames]
        pixel_data = fragmented(streams, table=False) if "fragments" in kind else encapsulate(streams, has_bot=False)
    path = write_dicom(tmp_path / "clip.dcm", frames, syntax=syntax, pixel_data=pixel_data, NumberOfFrames=stated)
    cine = open_cine(path)
    assert len(cine) == T
    assert len(cine.notes) == 1
    assert f"{T}" in cine.notes[0]
    assert "all" in cine.notes[0]
    for index in (T - 1, 0):
        tolerance = 100 if kind.startswith("JPEG") else 0
        np.testing.assert_allclose(cine[index].astype(int), frames[index], atol=tolerance)


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("part", [0.4, 0.9])
def test_frames_in_several_fragments_of_a_cut_file(tmp_path: Path, table: bool, part: float) -> None:
    frames = noise(T, 40, 50)
    pixel_data = fragmented(encoded(frames, RLELossless), table)
    path = write_dicom(tmp_path / "clip.dcm", frames, syntax=RLELossless, pixel_data=pixel_data)
    content = path.read_bytes()
    start = content.index(pixel_data[:40])
    path.write_bytes(content[: start + int(part * len(pixel_data))])
    cine = open_cine(path)
    assert len(cine) == int(part * T)
    assert f"of its {T} frames only {len(cine)} are complete" in cine.notes[0]
    np.testing.assert_array_equal(np.stack(list(cine)), frames[: len(cine)])


@pytest.mark.parametrize("extra", [0, 2])
@pytest.mark.parametrize("stated", [T, T - 1])
def test_packed_colors_are_recognized_even_beyond_the_stated_number(tmp_path: Path, stated: Any, extra: int) -> None:
    packed = np.repeat(noise(T, Y, X)[..., None], 2, axis=-1)  # of a gray image, without its colors
    packed[..., 1] = 128
    frames = np.zeros((T, Y, X, 3), np.uint8)
    path = write_dicom(
        tmp_path / "clip.dcm",
        frames,
        pixel_data=np.ascontiguousarray(
            np.concatenate(
                [packed[..., :1][:, :, 0::2], packed[..., :1][:, :, 1::2], *[packed[:, :, 0::2, 1:]] * 2], axis=-1
            )
        ).tobytes()
        + bytes(extra),
        PhotometricInterpretation="YBR_FULL_422",
        NumberOfFrames=stated,
    )
    cine = open_cine(path)
    assert len(cine) == T
    np.testing.assert_allclose(cine[T - 1].astype(int), packed[T - 1, :, :, :1].astype(int).repeat(3, 2), atol=2)


@pytest.mark.parametrize("planar", [0, 1])
def test_the_order_of_colors_is_detected_if_the_header_lacks_it(tmp_path: Path, planar: int) -> None:
    colors = noise(T, Y, X)[..., None].repeat(3, axis=-1)
    colors[:, :3, :4, 0] = 200  # some color in a gray image
    stored = np.moveaxis(colors, -1, 1) if planar else colors
    path = write_dicom(tmp_path / "clip.dcm", colors, pixel_data=stored.tobytes(), PlanarConfiguration=None)
    cine = open_cine(path)
    np.testing.assert_array_equal(cine[2], colors[2])
    assert ("plane by plane" if planar else "pixel by pixel") in cine.notes[0]


def test_a_file_without_an_image(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "report.dcm", noise(T, Y, X))
    header = pydicom.dcmread(path)
    del header.PixelData
    header.save_as(path)
    with pytest.raises(SegcamError, match=r"report\.dcm .*holds no image"):
        open_cine(path)


def test_one_broken_frame_is_named_and_the_others_stay_readable(tmp_path: Path) -> None:
    frames = noise(T, Y, X)
    streams = encoded(frames, RLELossless)
    streams[2] = streams[2][:70]
    pixel_data = encapsulate(streams)
    cine = open_cine(write_dicom(tmp_path / "clip.dcm", frames, syntax=RLELossless, pixel_data=pixel_data))
    np.testing.assert_array_equal(cine[3], frames[3])
    with pytest.raises(SegcamError, match=r"Frame 2 of clip\.dcm cannot be decoded: "):
        cine[2]


def test_a_file_that_was_removed(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "clip.dcm", noise(T, Y, X))
    cine = open_cine(path)
    path.unlink()  # possible on Windows too, since no file stays open
    with pytest.raises(SegcamError, match="can no longer be read"):
        cine[0]


def test_compressions_that_cannot_be_decoded(tmp_path: Path) -> None:
    def write(syntax: str) -> Path:
        return write_dicom(tmp_path / "clip.dcm", noise(1, Y, X), syntax=syntax, pixel_data=encapsulate([b"\0\0"]))

    if not pydicom.pixels.get_decoder(JPEGLosslessSV1).is_available:
        with pytest.raises(SegcamError, match=r"JPEG Lossless.*pip install python-gdcm"):
            open_cine(write(JPEGLosslessSV1))


# Real files


@needs_data
def test_a_real_cine_frame_by_frame() -> None:
    path = DATA / "cine/us_multiframe_ybr_30_frames.dcm"
    cine = open_cine(path)
    assert (len(cine), cine.frame_shape, cine.frame_rate) == (30, (240, 320, 3), pytest.approx(30, rel=1e-4))
    assert (cine.spacing_mm, cine.region) == (None, None)  # its region box belongs to a larger frame
    whole = pydicom.dcmread(path).pixel_array
    for index in (0, 13, 29):
        np.testing.assert_array_equal(cine[index], whole[index])


@needs_data
@pytest.mark.parametrize("name", ["US1_UNCI", "US1_J2KI", "examples_palette"])
def test_real_stills(name: str) -> None:
    cine = open_cine(DATA / f"dicom/{name}.dcm")
    assert (len(cine), cine.dtype, cine.spacing_mm, cine.frame_rate) == (1, np.uint8, None, None)
    assert cine[0].shape == cine.frame_shape
    if name == "US1_J2KI":  # the same image as the uncompressed one
        difference = cine[0].astype(int) - open_cine(DATA / "dicom/US1_UNCI.dcm")[0]
        assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
@pytest.mark.parametrize(("stored", "high"), [(12, 15), (8, 15), (10, 13), (12, 11)])
@pytest.mark.parametrize("signed", [False, True])
def test_pixels_are_the_bits_up_to_high_bit(tmp_path: Path, syntax: Any, stored: int, high: int, signed: bool) -> None:
    lowest = -(2 ** (stored - 1)) if signed else 0
    pixels = np.random.default_rng(0).integers(lowest, lowest + 2**stored, (2, Y, X)).astype("i2" if signed else "u2")
    values = pixels.view("u2") << (high + 1 - stored)
    data = {}
    if syntax == RLELossless:
        data["pixel_data"] = encapsulate(encoded(values, syntax))
    elif syntax == ExplicitVRBigEndian:
        data["pixel_data"] = values.astype(">u2").tobytes()
    path = write_dicom(
        tmp_path / "bits.dcm",
        values,
        syntax=syntax,
        BitsStored=stored,
        HighBit=high,
        PixelRepresentation=int(signed),
        **data,
    )
    cine = open_cine(path)
    np.testing.assert_array_equal(np.stack(list(cine)), pixels)
    assert any("bits" in note for note in cine.notes) == (high >= stored)


def test_a_high_bit_that_the_values_contradict_is_not_used(tmp_path: Path) -> None:
    pixels = noise(2, Y, X, dtype=np.uint16) >> 4
    path = write_dicom(tmp_path / "bits.dcm", pixels, BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(np.stack(list(open_cine(path))), pixels)


def test_values_beyond_the_stated_bits_are_noted(tmp_path: Path) -> None:
    pixels = noise(2, Y, X, dtype=np.uint16)
    cine = open_cine(write_dicom(tmp_path / "bits.dcm", pixels, BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(np.stack(list(cine)), pixels & 0xFFF)
    assert any("more than the 12 bits" in note for note in cine.notes)


@pytest.mark.parametrize("promised", [None, T])
@pytest.mark.parametrize("form", ["JPEG", "JPEG2000"])
def test_several_streams_in_one_fragment_are_frames(tmp_path: Path, form: str, promised: Any) -> None:
    frames = np.stack([np.full((Y, X), 40 * index, np.uint8) for index in range(T)])
    streams = []
    for frame in frames:
        with io.BytesIO() as stream:
            options = {"quality": 100} if form == "JPEG" else {"no_jp2": True}
            Image.fromarray(frame).save(stream, form, **options)
            streams.append(stream.getvalue())
    streams = [stream + b"\0" * (len(stream) % 2) for stream in streams]
    syntax = JPEGBaseline8Bit if form == "JPEG" else JPEG2000
    path = write_dicom(
        tmp_path / "one.dcm",
        frames,
        syntax=syntax,
        pixel_data=encapsulate([b"".join(streams)]),
        NumberOfFrames=promised,
    )
    cine = open_cine(path)
    assert len(cine) == T
    np.testing.assert_allclose(np.stack(list(cine)), frames, atol=1)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_RCT", "YBR_FULL", "YBR_FULL_422"])
def test_a_jpeg_2000_stream_that_converts_its_colors_to_rgb(tmp_path: Path, photometric: str) -> None:
    frames = noise(1, Y, X, 3)
    with io.BytesIO() as stream:
        Image.fromarray(frames[0]).save(stream, "JPEG2000", no_jp2=True, mct=1, irreversible=False)
        data = encapsulate([stream.getvalue()])
    path = write_dicom(
        tmp_path / "colors.dcm",
        frames,
        syntax=JPEG2000Lossless,
        pixel_data=data,
        PhotometricInterpretation=photometric,
    )
    np.testing.assert_array_equal(open_cine(path)[0], frames[0])
