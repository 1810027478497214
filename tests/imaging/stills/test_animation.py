"""Files of several images: animated PNG and WebP, and JPEG files with more than one image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.opening import open_cine

COLORS = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)
GRAYS = COLORS[..., 0]


def write(path: Path, frames: np.ndarray, **options: Any) -> Path:
    first, *others = map(Image.fromarray, frames)
    first.save(path, save_all=True, append_images=others, **options)
    return path


@pytest.mark.parametrize(
    ("name", "frames", "options"),
    [
        ("color.png", COLORS, {"duration": 40}),
        ("gray.png", GRAYS, {"duration": 40}),
        ("color.webp", COLORS, {"duration": 40, "lossless": True}),
    ],
)
def test_all_frames_of_an_animation_are_read(tmp_path: Path, name: str, frames: Any, options: Any) -> None:
    cine = open_cine(write(tmp_path / name, frames, **options))
    assert (len(cine), cine.frame_shape, cine.notes) == (5, frames.shape[1:], ())
    assert cine.frame_rate == pytest.approx(25)
    for index in (4, 1, 3, 0):
        np.testing.assert_array_equal(cine[index], frames[index])


def test_the_rate_is_the_mean_of_uneven_times(tmp_path: Path) -> None:
    cine = open_cine(write(tmp_path / "uneven.png", COLORS, duration=[10, 10, 10, 10, 160]))
    assert cine.frame_rate == pytest.approx(25)


def test_the_default_image_of_an_animation_is_not_a_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "beside.png", COLORS, default_image=True)
    cine = open_cine(path)
    assert len(cine) == 4
    np.testing.assert_array_equal(cine[0], COLORS[1])


@pytest.mark.parametrize("frames", [COLORS, GRAYS])
def test_the_complete_frames_of_a_truncated_animation_are_read_and_the_others_noted(
    tmp_path: Path, frames: Any
) -> None:
    path = write(tmp_path / "cut.png", frames)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    cine = open_cine(path)
    assert cine.notes == ("The file is cut short: of its 5 frames only 3 are complete.",)
    np.testing.assert_array_equal(np.stack(list(cine)), frames[:3])
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(SegcamError, match="none of its 5 frames is complete"):
        open_cine(path)


def test_several_images_in_a_jpeg_are_frames_if_they_have_one_size(tmp_path: Path) -> None:
    cine = open_cine(write(tmp_path / "two.jpg", COLORS[:2], format="MPO", quality=100, subsampling=0))
    assert len(cine) == 2
    assert "holds 2 images" in cine.notes[0]
    np.testing.assert_allclose(cine[1].astype(int), COLORS[1], atol=8)
    first, second = Image.fromarray(COLORS[0]), Image.fromarray(COLORS[1, :9])
    first.save(tmp_path / "preview.jpg", format="MPO", save_all=True, append_images=[second])
    still = open_cine(tmp_path / "preview.jpg")
    assert len(still) == 1
    assert "only the first is read" in still.notes[0]


def test_a_webp_still(tmp_path: Path) -> None:
    Image.fromarray(COLORS[2]).save(tmp_path / "still.webp", lossless=True)
    cine = open_cine(tmp_path / "still.webp")
    assert (len(cine), cine.notes) == (1, ())
    np.testing.assert_array_equal(cine[0], COLORS[2])
    path = write(tmp_path / "cut.webp", COLORS, lossless=True)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(SegcamError, match=r"cut\.webp"):
        open_cine(path)[0]


def test_an_animation_of_16_bit_images_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "deep.png", GRAYS.astype(np.uint16) * 16, duration=40)
    with pytest.raises(SegcamError, match="16-bit"):
        open_cine(path)
