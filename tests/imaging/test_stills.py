from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine


@pytest.fixture
def gray():
    return np.random.default_rng(0).integers(0, 256, (12, 20), dtype=np.uint8)


@pytest.fixture
def cine():
    return np.random.default_rng(1).integers(0, 256, (5, 12, 20), dtype=np.uint8)


@pytest.fixture
def colour_cine():
    return np.random.default_rng(2).integers(0, 256, (5, 12, 20, 3), dtype=np.uint8)


def written(path, values, **options):
    tifffile.imwrite(path, values, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_gray_and_rgb_stills_come_unchanged(tmp_path, suffix, gray, colour_cine):
    for values in (gray, colour_cine[0]):
        path = tmp_path / f"scan.{suffix}"
        Image.fromarray(values).save(path)
        still = open_cine(path)
        np.testing.assert_array_equal(still[0], values)
        assert (len(still), still.value_range, still.spacing_mm, still.frame_rate) == (1, (0, 255), None, None)


def test_16_bit_gray_stays_16_bit(tmp_path, gray):
    values = gray.astype(np.uint16) * 257
    Image.fromarray(values).save(tmp_path / "deep.png")
    still = open_cine(tmp_path / "deep.png")
    np.testing.assert_array_equal(still[0], values)
    assert still.dtype == np.uint16
    assert still.value_range == (0, 65535)


def test_alpha_is_dropped_and_a_palette_becomes_rgb(tmp_path, gray, colour_cine):
    alpha = np.full((12, 20, 1), 80, np.uint8)
    Image.fromarray(np.dstack([colour_cine[0], alpha])).save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(open_cine(tmp_path / "rgba.png")[0], colour_cine[0])

    Image.fromarray(np.dstack([gray[..., None], alpha])).save(tmp_path / "la.png")
    np.testing.assert_array_equal(open_cine(tmp_path / "la.png")[0], gray)

    indexed = Image.fromarray(np.uint8([[0, 1], [1, 0]]))
    indexed.putpalette([10, 20, 30, 200, 100, 50])
    indexed.save(tmp_path / "palette.png")
    colours = open_cine(tmp_path / "palette.png")[0]
    np.testing.assert_array_equal(colours, [[[10, 20, 30], [200, 100, 50]], [[200, 100, 50], [10, 20, 30]]])


def test_exif_orientation_is_applied(tmp_path):
    values = np.zeros((16, 32), np.uint8)
    values[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the scene is at the right of the stored image
    Image.fromarray(values).save(tmp_path / "phone.jpg", exif=exif)
    upright = open_cine(tmp_path / "phone.jpg")[0]
    assert upright.shape == (32, 16)
    assert upright[:, 8:].min() > 200 > 50 > upright[:, :8].max()


def test_a_damaged_still_is_named(tmp_path, gray):
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
def test_pages_are_frames(tmp_path, cine, options):
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
def test_frame_rate_of_a_tiff(tmp_path, cine, options, frame_rate):
    opened = open_cine(written(tmp_path / "clip.tif", cine, photometric="minisblack", **options))
    assert opened.frame_rate == (None if frame_rate is None else pytest.approx(frame_rate))


def test_opening_a_tiff_decodes_no_page(tmp_path, cine, monkeypatch):
    path = written(tmp_path / "clip.tif", cine, photometric="minisblack", compression="zlib")
    decoded = []
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda page: decoded.append(page.index))
    open_cine(path)
    assert decoded == []


def test_colour_pages_interleaved_planar_and_with_alpha(tmp_path, colour_cine):
    interleaved = written(tmp_path / "a.tif", colour_cine, photometric="rgb")
    planar = written(tmp_path / "b.tif", np.moveaxis(colour_cine, -1, 1), photometric="rgb", planarconfig="separate")
    with_alpha = np.concatenate([colour_cine, colour_cine[..., :1]], axis=-1)
    alpha = written(tmp_path / "c.tif", with_alpha, photometric="rgb", extrasamples=["unassalpha"])
    for path in (interleaved, planar, alpha):
        opened = open_cine(path)
        assert (len(opened), opened.frame_shape) == (5, (12, 20, 3))
        np.testing.assert_array_equal(opened[2], colour_cine[2])


def test_one_page_of_each_depth(tmp_path, gray):
    for values, value_range in [
        (gray, (0, 255)),
        (gray.astype(np.uint16) * 3, (0, 1023)),
        (gray.astype(np.uint16) * 257, (0, 65535)),
        (gray.astype(np.float32) / 255, (0, 1)),
    ]:
        still = open_cine(written(tmp_path / "one.tif", values))
        assert (len(still), still.dtype, still.value_range) == (1, values.dtype, value_range)
        np.testing.assert_array_equal(still[0], values)


def test_white_is_zero_is_turned_and_a_palette_applied(tmp_path, gray):
    np.testing.assert_array_equal(open_cine(written(tmp_path / "w.tif", gray, photometric="miniswhite"))[0], 255 - gray)

    colours = np.random.default_rng(3).integers(0, 256, (3, 256), dtype=np.uint16)
    path = written(tmp_path / "p.tif", gray, photometric="palette", colormap=colours << 8)
    np.testing.assert_array_equal(open_cine(path)[0], np.moveaxis(colours[:, gray], 0, -1))


def test_other_layouts_are_refused_in_words(tmp_path, cine):
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
def test_a_compression_without_its_package_says_what_to_install(tmp_path, gray):
    Image.fromarray(gray).save(tmp_path / "lzw.tif", compression="tiff_lzw")
    with pytest.raises(SegcamError, match="pip install imagecodecs"):
        open_cine(tmp_path / "lzw.tif")[0]


def test_a_damaged_tiff_is_named(tmp_path, cine):
    path = written(tmp_path / "clip.tif", cine, photometric="minisblack")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(SegcamError, match=r"clip\.tif"):
        open_cine(path)[4]


def test_no_file_stays_open(tmp_path, cine):
    path = written(tmp_path / "clip.tif", cine, photometric="minisblack")
    opened = open_cine(path)
    moved = path.rename(tmp_path / "moved.tif")  # Windows forbids this while the file is open
    moved.rename(path)
    np.testing.assert_array_equal(opened[1], cine[1])
