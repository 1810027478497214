"""The scan is found on many kinds of screens, each drawn around a scan at a known place."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.scan.region import find_scan_region

Screen = NDArray[np.uint8]
Draw = Callable[[ImageDraw.ImageDraw, int], None]

HEIGHT, WIDTH = 480, 640
TOP, LEFT = 90, 150


def speckle(shape: tuple[int, int], seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    tissue = np.asarray(Image.fromarray(rng.uniform(20, 110, (6, 8))).resize(shape[::-1], Image.Resampling.BICUBIC))
    grains = np.asarray(Image.fromarray(rng.rayleigh(0.8, (shape[0] // 2, shape[1] // 3))).resize(shape[::-1]))
    return np.clip(tissue * grains, 2, 255)


def linear(seed: int = 0) -> NDArray[np.float64]:
    return speckle((300, 330), seed)


def sector(seed: int = 0) -> NDArray[np.float64]:
    y, x = np.mgrid[:300, :400]
    inside = (np.abs(np.arctan2(x - 200, y + 1)) < np.radians(40)) & (np.hypot(x - 200, y) < 295)
    return np.where(inside, speckle((300, 400), seed), 0)[:, 8:392]


@cache
def sweep() -> NDArray[np.uint8]:
    cine = open_cine(Path(__file__).parents[3] / "sample_data/fibroid_sweep.dcm")
    return np.stack([cine[number] for number in range(5, 50, 3)])


def convex(seed: int = 0) -> NDArray[np.float64]:
    frames = sweep()
    return np.where(frames.max(0) > 8, np.maximum(frames[seed % len(frames)], 1), 0).astype(float)


SCANS = {"linear": linear, "sector": sector, "convex": convex}


def letters(draw: ImageDraw.ImageDraw, ink: int) -> None:
    draw.text((12, 6), "DOE^JANE 1965-03-02 F 00471192", fill=ink, font_size=18)
    draw.text((440, 6), "MI 1.1 TIS 0.4  12:30", fill=ink, font_size=15)
    for row, text in enumerate(["C5-1", "Abdomen", "22 Hz", "15 cm", "Gn 54", "C 61", "P Low"]):
        draw.text((8, 110 + 24 * row), text, fill=ink, font_size=15)
    draw.ellipse((560, 370, 600, 430), outline=ink, width=2)  # body mark


def calipers(draw: ImageDraw.ImageDraw, ink: int) -> None:  # noqa: ARG001 -- they are yellow
    for x, y in ((260, 200), (330, 250)):
        draw.line((x - 5, y, x + 5, y), fill=220)
        draw.line((x, y - 5, x, y + 5), fill=220)
    for part in np.linspace(0, 1, 20):
        draw.point((260 + 70 * part, 200 + 50 * part), fill=220)


def gray_bar(draw: ImageDraw.ImageDraw, ink: int) -> None:
    for row in range(180):
        draw.line((LEFT - 24, TOP + 8 + row, LEFT - 12, TOP + 8 + row), fill=255 - int(1.4 * row))
    draw.rectangle((LEFT - 25, TOP + 7, LEFT - 11, TOP + 188), outline=ink)


def ruler(draw: ImageDraw.ImageDraw, ink: int) -> None:
    for row in range(0, 300, 10):
        draw.line((LEFT + 400, TOP + row, LEFT + (406 if row % 50 else 412), TOP + row), fill=ink)


def trace(draw: ImageDraw.ImageDraw, ink: int) -> None:  # noqa: ARG001 -- it is green
    x = np.arange(LEFT, LEFT + 330)
    y = TOP + 340 - 24 * np.exp(-((x % 70 - 35) ** 2) / 20)
    draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=170, width=2)


def screen(
    scan: NDArray[np.float64],
    *drawings: Draw,
    back: int = 0,
    panels: tuple[tuple[int, int, int, int, int], ...] = (),
    at: tuple[tuple[int, int], ...] = ((TOP, LEFT),),
    thumbnails: int = 0,
    quality: int | None = None,
) -> tuple[Screen, NDArray[np.bool_]]:
    """Return a screen, and the mask of its scan."""
    pixels = np.full((HEIGHT, WIDTH), back, np.uint8)
    for top, left, bottom, right, value in panels:
        pixels[top:bottom, left:right] = value
    truth = np.zeros(pixels.shape, bool)
    for top, left in at:
        box = slice(top, top + scan.shape[0]), slice(left, left + scan.shape[1])
        truth[box] |= scan > 0
        pixels[box] = np.where(scan > 0, scan, pixels[box])
    for number in range(thumbnails):
        small = np.asarray(Image.fromarray(scan).resize((70, 60)))
        pixels[70 + 70 * number : 130 + 70 * number, 560:630] = small
    image = Image.fromarray(pixels)
    for drawing in (letters, *drawings):
        drawing(ImageDraw.Draw(image), 0 if back > 128 else 255)
    if quality is not None:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        image = Image.open(file)
    return np.asarray(image), truth


def assert_is_found(frames: Screen, truth: NDArray[np.bool_], overlap: float = 0.85) -> None:
    """Check that at most half a percent of the tissue is lost, and little is left around it."""
    region = find_scan_region(ArrayCine(frames, rgb=False))
    assert region.source != "whole frame"
    assert region.note == ""
    crop = np.zeros_like(truth)
    crop[region.crop] = True
    box = np.zeros_like(truth)
    rows, columns = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    assert truth[crop].sum() >= 0.995 * truth.sum()
    assert (crop & box).sum() / (crop | box).sum() >= overlap


PANELS = ((0, 0, 60, WIDTH, 60), (0, 0, HEIGHT, 110, 48), (0, 555, HEIGHT, WIDTH, 48), (440, 0, HEIGHT, WIDTH, 60))
LOOKS = {
    "black": {},
    "gray": {"back": 58},
    "white": {"back": 255},
    "panels": {"panels": PANELS},
    "header bar that touches": {"panels": ((0, 0, TOP, WIDTH, 75),)},
    "thumbnails": {"thumbnails": 5},
    "compressed": {"quality": 75},
    "gray and compressed": {"back": 58, "quality": 85},
    "panels and compressed": {"panels": PANELS, "quality": 80},
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("scan", SCANS)
def test_a_still_on_a_screen(scan: str, look: str) -> None:
    assert_is_found(*screen(SCANS[scan](), calipers, ruler, **LOOKS[look]))  # type: ignore[arg-type]


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("drawing", [gray_bar, trace], ids=["gray bar", "ECG"])
@pytest.mark.parametrize("quality", [None, 75])
def test_drawings_beside_the_scan_are_left_out(scan: str, drawing: Draw, quality: int | None) -> None:
    assert_is_found(*screen(SCANS[scan](), drawing, quality=quality), overlap=0.87)


def test_text_close_above_the_scan_is_left_out() -> None:
    def label(draw: ImageDraw.ImageDraw, ink: int) -> None:
        draw.rectangle((LEFT, TOP - 12, LEFT + 30, TOP - 3), fill=ink)

    pixels, _ = screen(linear(), label)
    top = find_scan_region(ArrayCine(pixels)).crop[0].start
    assert TOP - 2 <= top <= TOP


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("gain", [0.15, 0.4])
def test_dark_scans(scan: str, gain: float) -> None:
    frame = SCANS[scan]()
    dark = np.where(frame > 0, np.maximum(frame * gain, 1), 0)
    assert_is_found(*screen(dark, calipers, gray_bar))


@pytest.mark.parametrize("scan", SCANS)
def test_the_shadow_in_a_scan_is_kept(scan: str) -> None:
    frame = SCANS[scan]()
    truth = frame > 0
    frame[120:, 140:200] *= 0.01
    pixels, _ = screen(frame.round(), calipers)
    whole = np.zeros(pixels.shape, bool)
    whole[TOP : TOP + frame.shape[0], LEFT : LEFT + frame.shape[1]] = truth
    assert_is_found(pixels, whole)


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("gap", [8, 60])
def test_two_displays_are_both_kept(scan: str, gap: int) -> None:
    frame = np.asarray(Image.fromarray(SCANS[scan]()).resize((240, 200)))
    left = (WIDTH - 480 - gap) // 2
    assert_is_found(*screen(frame, at=((TOP + 20, left), (TOP + 20, left + 240 + gap))))


@pytest.mark.parametrize("back", [0, 58])
def test_a_cine_with_a_running_trace(back: int) -> None:
    def running(number: int) -> Draw:
        def draw(on: ImageDraw.ImageDraw, ink: int) -> None:
            x = np.arange(LEFT, LEFT + 330)
            y = TOP + 315 - 24 * np.exp(-(((x + 9 * number) % 70 - 35) ** 2) / 20)
            on.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=170, width=2)
            on.text((500, 40), f"frame {number}", fill=ink, font_size=15)

        return draw

    screens = [screen(convex(number), running(number), gray_bar, back=back) for number in range(8)]
    assert_is_found(np.stack([pixels for pixels, _ in screens]), screens[0][1])


def test_a_small_scan_on_a_large_screen() -> None:
    frame = np.asarray(Image.fromarray(sector()).resize((190, 160)))
    assert_is_found(*screen(frame, at=((160, 240),)))


def test_a_tightly_cropped_scan_keeps_its_text() -> None:
    frame = linear().astype(np.uint8)
    image = Image.fromarray(frame)
    ImageDraw.Draw(image).text((10, 10), "LEFT LOBE", fill=255, font_size=18)
    region = find_scan_region(ArrayCine(np.asarray(image)))
    assert region.crop == (slice(0, 300), slice(0, 330))
