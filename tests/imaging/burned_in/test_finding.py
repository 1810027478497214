"""Burned-in graphics are found, and tissue is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from planted_network import soft_speckle
from scipy import ndimage

import napari_segcam as sc
from napari_segcam.imaging.burned_in.dots import rows_of_dots
from napari_segcam.imaging.cine import ArrayCine


def drawn(before: NDArray[np.generic], after: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return which pixels were changed clearly by drawing."""
    change = np.abs(after.astype(int) - before.astype(int))
    return (change if change.ndim == 2 else change.max(2)) > 100


def write(frame: NDArray[np.uint8], text: str, place: tuple[int, int], color: object) -> NDArray[np.uint8]:
    image = Image.fromarray(frame)
    ImageDraw.Draw(image).text(place, text, fill=color, font=ImageFont.load_default(12))
    return np.asarray(image)


@pytest.mark.parametrize("seed", range(4))
def test_tissue_and_a_saturated_arc_are_no_graphics(seed: int) -> None:
    frame = soft_speckle(seed=seed)
    assert (frame == 255).sum() > 50
    assert not sc.find_graphics(frame).mask.any()


def test_calipers_and_their_dotted_line_are_found() -> None:
    frame = soft_speckle()
    marked = sc.paste_calipers(frame, [(150, 40), (170, 200)], line=True)
    graphics = sc.find_graphics(marked)
    planted = drawn(frame, marked)
    assert graphics.mask[planted].mean() > 0.9
    assert (graphics.mask & ~ndimage.binary_dilation(planted, iterations=2)).sum() < 10
    kinds = [part.kind for part in graphics.parts]
    assert kinds.count("caliper") == 2
    assert "dotted line" in kinds
    assert "2 calipers" in graphics.summary


def test_a_cross_is_a_caliper_too() -> None:
    frame = soft_speckle() // 2
    graphics = sc.find_graphics(sc.paste_calipers(frame, [(150, 60)], "cross", size=13, value_range=(0, 255)))
    assert [part.kind for part in graphics.parts] == ["caliper"]
    assert graphics.parts[0].in_scan


def test_colored_text_on_a_tinted_frame_is_found_and_doppler_is_not() -> None:
    gray = soft_speckle(seed=3)
    frame = np.stack([gray * 0.8, gray * 0.9, gray], 2).astype(np.uint8)
    flow = np.exp(-(((np.indices(gray.shape) - np.array([150, 60])[:, None, None]) / 12.0) ** 2).sum(0))
    frame[..., 0] = np.maximum(frame[..., 0], (255 * flow).astype(np.uint8))
    frame[..., 2] = np.where(flow > 0.1, frame[..., 2] // 4, frame[..., 2])
    marked = write(frame, "2.31 cm", (150, 160), (255, 255, 0))
    graphics = sc.find_graphics(marked)
    assert graphics.mask[drawn(frame, marked)].mean() > 0.85
    assert not graphics.mask[flow > 0.2].any()
    assert "text" in [part.kind for part in graphics.parts]


def test_in_a_cine_what_stays_still_is_found_though_it_is_faint() -> None:
    wide = soft_speckle(width=400, seed=5)
    frames = np.stack([wide[:, 9 * number : 9 * number + 240].copy() for number in range(14)])
    frames = (frames * 0.6).astype(np.uint8)
    shape = np.zeros(frames.shape[1:], bool)
    shape[150:152, 100:160] = shape[140:164, 128:130] = True
    frames[:, shape] = 140
    cine = ArrayCine(frames, value_range=(0, 255))
    alone, graphics = sc.find_graphics(frames[6], value_range=(0, 255)), sc.find_graphics(frames[6], cine)
    assert alone.mask[shape].mean() < 0.2
    assert graphics.mask[shape].mean() > 0.8
    assert any("stays the same" in part.why for part in graphics.parts)


def test_whatever_is_beside_the_scan_is_graphics() -> None:
    frame = np.zeros((260, 360), np.uint8)
    rows, columns = np.indices(frame.shape)
    fan = (np.abs(columns - 180) < 20 + 0.45 * rows) & (np.hypot(rows, columns - 180) < 240)
    frame[fan] = np.maximum(soft_speckle(260, 360)[fan], 30)
    marked = write(frame, "TIS 0.4", (4, 4), 90)  # too dim to be known by its step
    graphics = sc.find_graphics(marked)
    text = marked != frame
    assert graphics.mask[text & (marked > 40)].mean() > 0.8
    assert not graphics.mask[ndimage.binary_erosion(fan, iterations=4)].any()
    words = [part for part in graphics.parts if part.box[0].stop < 25]
    assert words
    assert not any(part.in_scan for part in words)


def test_rows_of_dots_are_equally_spaced() -> None:
    row = np.array([[10 + 4.4 * i, 20 + 2.2 * i] for i in range(8)]).round()
    strays = np.random.default_rng(0).uniform(0, 100, (30, 2))
    in_row = rows_of_dots(np.concatenate([row, strays]), np.ones(38), 12)
    assert in_row[:8].all()
    assert in_row[8:].sum() <= 2
    assert not rows_of_dots(strays, np.ones(30), 12).any()


def test_a_frame_that_is_not_of_the_cine_is_refused() -> None:
    with pytest.raises(sc.SegcamError, match="Give the cine that the frame is from"):
        sc.find_graphics(soft_speckle(), ArrayCine(np.zeros((3, 40, 50), np.uint8)))
    with pytest.raises(sc.SegcamError, match="must be \\(Y, X\\)"):
        sc.find_graphics(np.zeros((3, 40, 50, 3), np.uint8))


def test_a_flat_frame_has_no_graphics() -> None:
    for frame in (np.zeros((40, 60), np.uint8), np.full((40, 60, 3), 255, np.uint8), np.zeros((1, 1), np.float32)):
        assert not sc.find_graphics(frame).mask.any()
