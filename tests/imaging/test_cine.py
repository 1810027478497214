from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from PIL import Image

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import ArrayCine, name_of
from napari_segcam.imaging.opening import open_cine


@pytest.mark.parametrize(
    ("shape", "rgb", "length", "frame_shape"),
    [
        ((5, 7), None, 1, (5, 7)),
        ((5, 7, 3), None, 1, (5, 7, 3)),
        ((5, 7, 4), None, 1, (5, 7, 3)),
        ((6, 5, 7), None, 6, (5, 7)),
        ((6, 5, 3), False, 6, (5, 3)),
        ((6, 5, 7, 3), None, 6, (5, 7, 3)),
        ((6, 5, 7, 4), True, 6, (5, 7, 3)),
    ],
)
@pytest.mark.parametrize("wrap", [np.asarray, da.from_array])
def test_frames_of_every_layout(shape: Any, rgb: bool | None, length: int, frame_shape: Any, wrap: Any) -> None:
    values = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    cine = ArrayCine(wrap(values), rgb=rgb)

    frames = values[..., :3] if len(frame_shape) == 3 else values
    frames = frames.reshape(length, *frame_shape)
    assert len(cine) == length
    assert cine.frame_shape == frame_shape
    assert cine.is_rgb == (len(frame_shape) == 3)
    for index, frame in enumerate(cine):
        assert isinstance(frame, np.ndarray)
        np.testing.assert_array_equal(frame, frames[index])
    np.testing.assert_array_equal(cine[-1], frames[-1])


def test_an_index_beyond_the_ends_is_an_index_error() -> None:
    cine = ArrayCine(np.zeros((4, 5, 6)))
    for index in (4, -5):
        with pytest.raises(IndexError, match=str(index)):
            cine[index]


def test_only_the_requested_frame_is_computed() -> None:
    computed = []

    def block(block_id: tuple[int, ...]) -> np.ndarray:
        computed.append(block_id[0])
        return np.full((1, 5, 6), block_id[0], dtype=np.uint8)

    lazy = da.map_blocks(block, chunks=((1,) * 8, (5,), (6,)), dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
    assert (ArrayCine(lazy)[3] == 3).all()
    assert computed == [3]


@pytest.mark.parametrize(
    ("values", "value_range"),
    [
        (np.uint8([[0, 9]]), (0, 255)),
        # Wide integers often hold images of fewer bits.
        (np.uint16([[0, 9]]), (0, 255)),
        (np.uint16([[0, 800]]), (0, 1023)),
        (np.uint16([[0, 3184]]), (0, 4095)),
        (np.uint16([[0, 40000]]), (0, 65535)),
        (np.uint16([[60000, 60400]]), (60000, 60400)),
        (np.int16([[0, 9]]), (0, 255)),
        (np.int16([[0, 30000]]), (0, 32767)),
        (np.int16([[-30000, 30000]]), (-32768, 32767)),
        (np.int16([[-120, 100]]), (-128, 127)),
        (np.int16([[-120, 10]]), (-128, 127)),
        (np.int16([[-1000, 3000]]), (-1000, 3000)),
        (np.int64([[0, 4000]]), (0, 4095)),
        (np.uint32([[0, 170000]]), (0, 170000)),
        (np.uint32([[2**31, 2**31 + 255]]), (2**31, 2**31 + 255)),
        (np.uint32([[0, 2**32 - 9]]), (0, 2**32 - 1)),
        (np.array([[True, False]]), (0, 1)),
        (np.float32([[0, 0.5]]), (0, 1)),
        (np.float64([[0, 200.5]]), (0, 255)),
        (np.float32([[0, 0.01]]), (0, np.float32(0.01))),
        (np.float32([[-1, 0.9]]), (-1, 1)),
        (np.float32([[-60, 0]]), (-60, 0)),
        (np.float32([[np.nan, 0, 0.9]]), (0, 1)),
        # The first frame alone would give 0–1.
        (np.float32([[[0, 0]], [[0, 1]], [[90, 200]]]), (0, 255)),
    ],
)
def test_black_and_white_of_each_dtype(values: Any, value_range: Any) -> None:
    assert ArrayCine(values).value_range == value_range


def test_an_assumed_black_and_white_is_noted_and_can_be_set() -> None:
    cine = ArrayCine(np.float32([[-3.5, 2]]), name="clip")
    assert cine.value_range == (-3.5, 2)
    assert re.search(r"Black is assumed to be -3\.5 and white 2, from the values.*set the value range", cine.notes[0])
    cine.set_value_range(-4, 4)
    assert (cine.value_range, cine.notes) == ((-4, 4), ())
    assert ArrayCine(np.float32([[-3.5, 2]]), value_range=(-4, 4)).value_range == (-4, 4)
    for black, white in ((1, 1), (2, 1), (0, math.inf), (math.nan, 1)):
        with pytest.raises(SegcamError, match="white must be more than black"):
            cine.set_value_range(black, white)


@pytest.mark.parametrize(
    ("values", "value_range"),
    [(np.uint8([[0, 20]]), None), (np.uint16([[0, 20]]), (0, 255)), (np.float32([[0, 1]]), (0, 100))],
)
def test_an_image_that_uses_little_of_its_range_is_noted(values: Any, value_range: Any) -> None:
    assert any("uses only" in note for note in ArrayCine(values, value_range=value_range).notes)


@pytest.mark.parametrize(
    "values", [np.uint8([[0, 200]]), np.uint16([[0, 60000]]), np.float32([[0, 1]]), np.uint8([[7]])]
)
def test_a_usual_image_has_no_notes(values: Any) -> None:
    assert ArrayCine(values).notes == ()


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({"frame_rate": 1e200}, "frame rate of 1e+200"),
        ({"frame_rate": 0.0}, "frame rate of 0"),
        ({"frame_rate": -25.0}, "frame rate of -25"),
        ({"frame_rate": math.nan}, "frame rate of nan"),
        ({"spacing_mm": (0.3, 0.0)}, "pixel spacing of 0.3 × 0 mm"),
        ({"spacing_mm": (1e200, 0.3)}, "pixel spacing of 1e+200"),
        ({"spacing_mm": (0.3, math.inf)}, "pixel spacing of 0.3 × inf"),
    ],
)
def test_impossible_rates_and_spacings_are_not_used(settings: Any, note: str) -> None:
    cine = ArrayCine(np.zeros((2, 4, 5), np.uint8), **settings)
    assert (cine.frame_rate, cine.spacing_mm) == (None, None)
    assert note in cine.notes[0]


def test_hot_pixels_do_not_set_the_range() -> None:
    values = np.random.default_rng(0).integers(0, 256, (100, 100)).astype(np.uint16)
    values[3, 3] = 65535
    assert ArrayCine(values).value_range == (0, 255)


def test_all_frames_have_one_black_and_white() -> None:
    frames = np.zeros((9, 4, 5), np.uint16)
    frames[4] = 3000  # in the middle; the others are dark
    frames[4, 0] = 0
    assert ArrayCine(frames).value_range == (0, 4095)


@pytest.mark.parametrize(
    ("values", "rgb"),
    [
        (np.zeros(5), None),
        (np.zeros((2, 3, 4, 5)), None),
        (np.zeros((0, 5, 5)), None),
        (np.zeros((5, 5, 2)), True),
        (np.zeros((2, 2, 5, 5, 3)), None),
        (np.zeros((5, 5), complex), None),
    ],
)
def test_an_array_that_is_not_an_image_is_refused(values: Any, rgb: bool | None) -> None:
    with pytest.raises(SegcamError, match=r"\(Y, X\)|real numbers"):
        ArrayCine(values, rgb=rgb)


def test_the_content_and_not_the_suffix_sets_the_kind(tmp_path: Path) -> None:
    path = tmp_path / "scan.dcm"
    Image.fromarray(np.full((4, 6), 7, np.uint8)).save(path, "PNG")
    cine = open_cine(path)
    assert (cine.name, len(cine), cine.frame_shape) == ("scan", 1, (4, 6))
    assert (cine[0] == 7).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello " * 50, "not an image that can be read"),
        (b"RIFF\0\0\0\0AVI LIST" + bytes(200), "cannot be read as a video"),
        (b"\0\0\0\x20ftypisom" + bytes(200), "cannot be read as a video"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "clip"),
    ],
)
def test_other_files_are_refused_in_words(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "clip.xyz"
    path.write_bytes(content)
    with pytest.raises(SegcamError, match=message):
        open_cine(path)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(SegcamError, match=r"no file .*gone\.dcm"):
        open_cine(tmp_path / "gone.dcm")
    with pytest.raises(SegcamError, match="is a folder without DICOM"):
        open_cine(tmp_path)


@pytest.mark.parametrize(
    ("file_name", "name"),
    [("clip.dcm", "clip"), ("IM_0001", "IM_0001"), ("1.2.840.113619", "1.2.840.113619"), ("a.b.png", "a.b")],
)
def test_names_lose_only_their_suffix(file_name: str, name: str) -> None:
    assert name_of(Path(file_name)) == name


def test_importing_the_module_loads_no_reading_library() -> None:
    code = "import napari_segcam.imaging.cine, sys; print({'pydicom', 'tifffile', 'PIL', 'torch'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "set()"
