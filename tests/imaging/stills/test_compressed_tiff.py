"""TIFF files with all kinds of compression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine

Y, X = np.mgrid[:64, :80]
FRAMES = np.stack([(Y * 3 + X * shift) % 200 for shift in (0, 1)]).astype(np.uint8)


@pytest.mark.parametrize("compression", ["lzw", "deflate", "zstd", "packbits", "lzma"])
def test_lossless_compression(tmp_path: Path, compression: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", FRAMES, compression=compression, photometric="minisblack")
    cine = open_cine(tmp_path / "a.tif")
    for frame, expected in zip(cine, FRAMES, strict=True):
        np.testing.assert_array_equal(frame, expected)


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000"])
@pytest.mark.parametrize("color", [False, True])
def test_jpeg(tmp_path: Path, compression: str, color: bool) -> None:
    smooth = np.stack([Y * 3, Y + X, X * 2], axis=-1).astype(np.uint8)
    expected = smooth if color else smooth[..., 1]
    photometric = "rgb" if color else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", expected, compression=compression, photometric=photometric)
    assert np.abs(open_cine(tmp_path / "a.tif")[0].astype(int) - expected).mean() < 3


def test_a_missing_decoder_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "a.tif", FRAMES, compression="lzw", photometric="minisblack")

    def refuse(_self: object) -> None:
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    for page in (tifffile.TiffPage, tifffile.TiffFrame):
        monkeypatch.setattr(page, "asarray", refuse)
    with pytest.raises(SegcamError, match=r'pip install "napari-segcam\[tiff\]"'):
        open_cine(tmp_path / "a.tif")[0]
