from __future__ import annotations

import re
import struct
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine


@pytest.fixture
def gray() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 20), dtype=np.uint8)


@pytest.fixture
def cine() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 12, 20), dtype=np.uint8)


@pytest.fixture
def color_cine() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (5, 12, 20, 3), dtype=np.uint8)


def written(path: Path, values: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, values, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_gray_and_rgb_stills_come_unchanged(
    tmp_path: Path, suffix: str, gray: np.ndarray, color_cine: np.ndarray
) -> None:
    for values in (gray, color_cine[0]):
        path = tmp_path / f"scan.{suffix}"
        Image.fromarray(values).save(path)
        still = open_cine(path)
        np.testing.assert_array_equal(still[0], values)
        assert (len(still), still.value_range, still.spacing_mm, still.frame_rate) == (1, (0, 255), None, None)


def test_16_bit_gray_stays_16_bit(tmp_path: Path, gray: np.ndarray) -> None:
    values = gray.astype(np.uint16) * 257
    Image.fromarray(values).save(tmp_path / "deep.png")
    still = open_cine(tmp_path / "deep.png")
    np.testing.assert_array_equal(still[0], values)
    assert still.dtype == np.uint16
    assert still.value_range == (0, 65535)


def test_alpha_is_dropped_and_a_palette_becomes_rgb(tmp_path: Path, gray: np.ndarray, color_cine: np.ndarray) -> None:
    alpha = np.full((12, 20, 1), 80, np.uint8)
    Image.fromarray(np.dstack([color_cine[0], alpha])).save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(open_cine(tmp_path / "rgba.png")[0], color_cine[0])

    Image.fromarray(np.dstack([gray[..., None], alpha])).save(tmp_path / "la.png")
    np.testing.assert_array_equal(open_cine(tmp_path / "la.png")[0], gray)

    indexed = Image.fromarray(np.uint8([[0, 1], [1, 0]]))
    indexed.putpalette([10, 20, 30, 200, 100, 50])
    indexed.save(tmp_path / "palette.png")
    colors = open_cine(tmp_path / "palette.png")[0]
    np.testing.assert_array_equal(colors, [[[10, 20, 30], [200, 100, 50]], [[200, 100, 50], [10, 20, 30]]])


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    values = np.zeros((16, 32), np.uint8)
    values[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the scene is at the right of the stored image
    Image.fromarray(values).save(tmp_path / "phone.jpg", exif=exif)
    upright = open_cine(tmp_path / "phone.jpg")[0]
    assert upright.shape == (32, 16)
    assert upright[:, 8:].min() > 200 > 50 > upright[:, :8].max()


def test_a_damaged_still_is_named(tmp_path: Path, gray: np.ndarray) -> None:
    path = tmp_path / "scan.png"
    Image.fromarray(gray).save(path)
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(SegcamError, match=r"scan\.png is damaged"):
        open_cine(path)[0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metadata": None},
        {"compression": "zlib"},
        {"bigtiff": True},
        {"ome": True, "metadata": {"axes": "TYX"}},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
    ],
)
def test_pages_are_frames(tmp_path: Path, cine: np.ndarray, options: Any) -> None:
    opened = open_cine(written(tmp_path / "clip.tif", cine, photometric="minisblack", **options))
    assert (len(opened), opened.frame_shape, opened.value_range) == (5, (12, 20), (0, 255))
    for index in (3, 0, -1):
        np.testing.assert_array_equal(opened[index], cine[index])


@pytest.mark.parametrize(
    ("options", "frame_rate"),
    [
        ({"imagej": True, "metadata": {"axes": "TYX", "finterval": 0.04, "fps": 7.0}}, 25),
        ({"imagej": True, "metadata": {"axes": "TYX", "finterval": 40, "tunit": "msec"}}, 25),
        ({"imagej": True, "metadata": {"axes": "TYX", "fps": 7.0}}, 7),
        ({"imagej": True, "metadata": {"axes": "TYX"}}, None),
        ({"ome": True, "metadata": {"axes": "TYX", "TimeIncrement": 50, "TimeIncrementUnit": "ms"}}, 20),
        ({"ome": True, "metadata": {"axes": "TYX", "TimeIncrement": 0.1}}, 10),
        ({"ome": True, "metadata": {"axes": "TYX", "TimeIncrement": 0}}, None),
        ({}, None),
    ],
)
def test_frame_rate_of_a_tiff(tmp_path: Path, cine: np.ndarray, options: Any, frame_rate: int | None) -> None:
    opened = open_cine(written(tmp_path / "clip.tif", cine, photometric="minisblack", **options))
    assert opened.frame_rate == (None if frame_rate is None else pytest.approx(frame_rate))


def test_opening_a_tiff_decodes_no_page(tmp_path: Path, cine: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "clip.tif", cine, photometric="minisblack", compression="zlib")
    decoded = []
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda page: decoded.append(page.index))
    open_cine(path)
    assert decoded == []


def test_color_pages_interleaved_planar_and_with_alpha(tmp_path: Path, color_cine: np.ndarray) -> None:
    interleaved = written(tmp_path / "a.tif", color_cine, photometric="rgb")
    planar = written(tmp_path / "b.tif", np.moveaxis(color_cine, -1, 1), photometric="rgb", planarconfig="separate")
    with_alpha = np.concatenate([color_cine, color_cine[..., :1]], axis=-1)
    alpha = written(tmp_path / "c.tif", with_alpha, photometric="rgb", extrasamples=["unassalpha"])
    for path in (interleaved, planar, alpha):
        opened = open_cine(path)
        assert (len(opened), opened.frame_shape) == (5, (12, 20, 3))
        np.testing.assert_array_equal(opened[2], color_cine[2])


def test_one_page_of_each_depth(tmp_path: Path, gray: np.ndarray) -> None:
    for values, value_range in [
        (gray, (0, 255)),
        (gray.astype(np.uint16) * 3, (0, 1023)),
        (gray.astype(np.uint16) * 257, (0, 65535)),
        (gray.astype(np.float32) / 255, (0, 1)),
    ]:
        still = open_cine(written(tmp_path / "one.tif", values))
        assert (len(still), still.dtype, still.value_range) == (1, values.dtype, value_range)
        np.testing.assert_array_equal(still[0], values)


def test_white_is_zero_is_inverted_and_a_palette_is_applied(tmp_path: Path, gray: np.ndarray) -> None:
    np.testing.assert_array_equal(open_cine(written(tmp_path / "w.tif", gray, photometric="miniswhite"))[0], 255 - gray)

    colors = np.random.default_rng(3).integers(0, 256, (3, 256), dtype=np.uint16)
    path = written(tmp_path / "p.tif", gray, photometric="palette", colormap=colors << 8)
    np.testing.assert_array_equal(open_cine(path)[0], np.moveaxis(colors[:, gray], 0, -1))


def test_other_layouts_are_refused_in_words(tmp_path: Path, cine: np.ndarray) -> None:
    volumes = written(tmp_path / "tz.tif", np.stack([cine, cine]), imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(SegcamError, match=r"tz\.tif .*along T and Z"):
        open_cine(volumes)
    channels = written(tmp_path / "c.tif", cine, imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(SegcamError, match="along C"):
        open_cine(channels)
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as writer:
        writer.write(cine[0], metadata=None)
        writer.write(cine[0, :6], metadata=None)
    with pytest.raises(SegcamError, match="differ in size"):
        open_cine(tmp_path / "mixed.tif")


@pytest.mark.skipif(find_spec("imagecodecs") is not None, reason="imagecodecs is installed here")
def test_a_compression_without_its_package_says_what_to_install(tmp_path: Path, gray: np.ndarray) -> None:
    Image.fromarray(gray).save(tmp_path / "lzw.tif", compression="tiff_lzw")
    with pytest.raises(SegcamError, match="pip install imagecodecs"):
        open_cine(tmp_path / "lzw.tif")[0]


PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def png_of(values: np.ndarray, color_type: int, *, interlaced: bool = False) -> bytes:
    """Return a PNG file of 16 bits, which Pillow cannot write in color."""
    height, width = values.shape[:2]
    passes = [values[top::down, left::right] for top, left, down, right in PASSES] if interlaced else [values]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for part in passes if part.size for row in part)
    chunks = [
        (b"IHDR", struct.pack(">LLBBBBB", width, height, 16, color_type, 0, 0, interlaced)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data)) for name, data in chunks
    )


@pytest.mark.parametrize(("color_type", "samples"), [(2, 3), (6, 4), (4, 2)])
@pytest.mark.parametrize("white", [255, 65535])
def test_16_bit_colors_stay_16_bit(tmp_path: Path, color_type: int, samples: int, white: int) -> None:
    values = np.random.default_rng(0).integers(0, white, (12, 20, samples), endpoint=True).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(png_of(values, color_type))
    still = open_cine(tmp_path / "deep.png")
    expected = values[..., 0] if samples == 2 else values[..., :3]
    np.testing.assert_array_equal(still[0], expected)
    assert (still.dtype, still.frame_shape, still.value_range) == (np.uint16, expected.shape, (0, white))


@pytest.mark.parametrize(("color_type", "samples"), [(2, 3), (6, 4), (4, 2)])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (16, 16), (100, 101), (301, 303)])
def test_interlaced_16_bit_colors(tmp_path: Path, color_type: int, samples: int, size: Any) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (*size, samples)).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(png_of(values, color_type, interlaced=True))
    expected = values[..., 0] if samples == 2 else values[..., :3]
    np.testing.assert_array_equal(open_cine(tmp_path / "deep.png")[0], expected)


def test_truncated_interlaced_16_bit_colors_are_refused(tmp_path: Path) -> None:
    coded = png_of(np.arange(4800, dtype=np.uint16).reshape(40, 40, 3), 2, interlaced=True)
    (tmp_path / "deep.png").write_bytes(coded[: len(coded) // 2])
    with pytest.raises(SegcamError, match="damaged"):
        open_cine(tmp_path / "deep.png")[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_upright(tmp_path: Path, orientation: Any, gray: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(gray).save(tmp_path / "o.png", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "o.png")))
    for values, expected in ((gray, upright), (np.dstack([gray] * 3), np.dstack([upright] * 3))):
        path = written(
            tmp_path / "o.tif",
            values,
            photometric="rgb" if values.ndim == 3 else "minisblack",
            extratags=[(274, "H", 1, orientation, True)],
        )
        cine = open_cine(path)
        assert cine.frame_shape == expected.shape
        np.testing.assert_array_equal(cine[0], expected)
        np.testing.assert_array_equal(open_cine(tmp_path / "o.png")[0], upright)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_inks_become_colors(tmp_path: Path, depth: Any, planar: str) -> None:
    white = np.iinfo(depth).max
    colors = np.array([[[0, 0, 0], [1, 1, 1]], [[1, 0, 0], [0, 0.5, 1]]])
    black = np.array([[[1.0], [0]], [[0], [0]]])
    inks = np.round(np.concatenate([(1 - colors) * (1 - black), black], axis=-1) * white).astype(depth)
    stored = np.moveaxis(inks, -1, 0) if planar == "separate" else inks
    path = written(tmp_path / "i.tif", stored, photometric="separated", planarconfig=planar)
    np.testing.assert_allclose(open_cine(path)[0] / white, colors, atol=0.01)


def test_unknown_color_models_are_refused(tmp_path: Path, color_cine: np.ndarray) -> None:
    path = written(tmp_path / "lab.tif", color_cine[0], photometric="cielab")
    with pytest.raises(SegcamError, match="its pixels are CIELAB"):
        open_cine(path)


def test_gray_with_alpha_and_colors_as_brightness_and_difference(tmp_path: Path, gray: np.ndarray) -> None:
    both = np.dstack([gray, np.full_like(gray, 9)])
    path = written(
        tmp_path / "la.tif", both, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
    )
    np.testing.assert_array_equal(open_cine(path)[0], gray)
    ycbcr = np.dstack([gray, np.full_like(gray, 128), np.full_like(gray, 128)])
    path = written(tmp_path / "y.tif", ycbcr, photometric="ycbcr", extratags=[(530, "H", 2, (1, 1), True)])
    np.testing.assert_array_equal(open_cine(path)[0], np.dstack([gray] * 3))


@pytest.mark.parametrize(
    ("unit", "millimeters"),
    [
        ("mm", 1),
        ("cm", 10),
        ("\\u00B5m", 1e-3),
        ("um", 1e-3),
        ("micron", 1e-3),
        ("inch", 25.4),
        ("nm", 1e-6),
        ("m", 1000),
        ("pixel", None),
        ("", None),
        ("furlong", None),
    ],
)
def test_pixel_sizes_of_imagej(tmp_path: Path, cine: np.ndarray, unit: str, millimeters: float | None) -> None:
    path = written(
        tmp_path / "clip.tif", cine, imagej=True, resolution=(5, 2.5), metadata={"axes": "TYX", "unit": unit}
    )
    spacing = None if millimeters is None else pytest.approx((0.4 * millimeters, 0.2 * millimeters))
    opened = open_cine(path)
    assert opened._spacing_mm == spacing
    possible = millimeters is not None and 0.4 * millimeters <= 100
    assert opened.spacing_mm == (spacing if possible else None)


@pytest.mark.parametrize(
    ("sizes", "spacing"),
    [
        ({"PhysicalSizeX": 200, "PhysicalSizeY": 400}, (0.4, 0.2)),
        (
            {"PhysicalSizeX": 0.2, "PhysicalSizeXUnit": "mm", "PhysicalSizeY": 0.04, "PhysicalSizeYUnit": "cm"},
            (0.4, 0.2),
        ),
        ({"PhysicalSizeX": 200, "PhysicalSizeXUnit": "pixel", "PhysicalSizeY": 1}, None),
        ({"PhysicalSizeX": 200}, None),
        ({}, None),
    ],
)
def test_pixel_sizes_of_ome(tmp_path: Path, cine: np.ndarray, sizes: Any, spacing: Any) -> None:
    path = written(tmp_path / "clip.ome.tif", cine, ome=True, metadata={"axes": "TYX", **sizes})
    assert open_cine(path).spacing_mm == (None if spacing is None else pytest.approx(spacing))


def test_the_resolution_of_a_printer_is_not_a_pixel_size(tmp_path: Path, gray: np.ndarray) -> None:
    path = written(tmp_path / "a.tif", gray, resolution=(72, 72), resolutionunit="inch")
    assert open_cine(path).spacing_mm is None


@pytest.mark.parametrize("by_pillow", [True, False])
def test_the_complete_pages_of_a_truncated_tiff_are_read(tmp_path: Path, by_pillow: bool) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 60, 80), dtype=np.uint8)
    path = tmp_path / "clip.tif"
    if by_pillow:
        first, *others = map(Image.fromarray, frames)
        first.save(path, save_all=True, append_images=others)
    else:
        written(path, frames, photometric="minisblack", metadata=None)
    assert open_cine(path).notes == ()
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    cine = open_cine(path)
    assert re.search(rf"of its (at least )?\d frames only {len(cine)} are complete", cine.notes[0])
    assert 0 < len(cine) < 5
    np.testing.assert_array_equal(np.stack(list(cine)), frames[: len(cine)])


def test_a_damaged_tiff_is_named(tmp_path: Path, cine: np.ndarray) -> None:
    path = written(tmp_path / "clip.tif", cine, photometric="minisblack")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(SegcamError, match=r"clip\.tif"):
        open_cine(path)[4]


def test_no_file_stays_open(tmp_path: Path, cine: np.ndarray) -> None:
    path = written(tmp_path / "clip.tif", cine, photometric="minisblack")
    opened = open_cine(path)
    moved = path.rename(tmp_path / "moved.tif")  # Windows forbids this while the file is open
    moved.rename(path)
    np.testing.assert_array_equal(opened[1], cine[1])
