"""The region of the scan is found for any screen around it, and never cuts off tissue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import ArrayCine, Cine, Frame
from napari_segcam.imaging.geometry import Crop
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.scan.region import ScanRegion, crop_for, find_scan_region, known_tissue, parse_crop

ROOT = Path(__file__).parents[3]
DATA = ROOT / "../shared/data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the real ultrasound files are not here")

SCREEN = (400, 560)
CORNER = (70, 130)  # of the sweep's frame on the screen
TEXT_BOTTOM = 60


@pytest.fixture(scope="module")
def sweep() -> NDArray[np.uint8]:
    """Every fifth frame of the phantom sweep, ``(12, 256, 320)``, without the haze of compression around the sector."""
    frames = np.stack(list(open_cine(ROOT / "sample_data/fibroid_sweep.dcm"))[::5])
    return np.where(frames.max(0) > 8, frames, 0)


@pytest.fixture(scope="module")
def sector(sweep: NDArray[np.uint8]) -> Crop:
    """Rows and columns of the sector on the screen."""
    rows, columns = (np.flatnonzero(sweep.any((0, axis))) for axis in (2, 1))
    return (
        slice(CORNER[0] + rows[0], CORNER[0] + rows[-1] + 1),
        slice(CORNER[1] + columns[0], CORNER[1] + columns[-1] + 1),
    )


def on_screen(scan: NDArray[np.uint8], screen: int = 0) -> NDArray[np.uint8]:
    """Frames as on a scanner's screen: texts, one of which changes, calipers, logo, gray bar, running ECG."""
    return np.stack([_screen(frame, number, screen) for number, frame in enumerate(scan)])


def _screen(frame: NDArray[np.uint8], number: int, level: int) -> NDArray[np.uint8]:
    pixels = np.full(SCREEN, level, np.uint8)
    rows, columns = slice(CORNER[0], CORNER[0] + 256), slice(CORNER[1], CORNER[1] + 320)
    pixels[rows, columns] = np.where(frame > 0, frame, level)
    pixels[10:50, 500:550] = np.random.default_rng(0).integers(0, 256, (40, 50))  # logo
    pixels[100:300, 20:28] = np.linspace(255, 0, 200)[:, None]  # gray bar
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    lines = ["PHANTOM HOSPITAL   MI 0.9  TIS 0.4", "UTERUS  C5-1  22 Hz  13 cm", f"12:30:{number:02d}  frame {number}"]
    for line, text in enumerate(lines):
        draw.text((15, 4 + 18 * line), text, fill=255, font_size=16)
    for x, y in ((230, 170), (300, 215)):  # calipers
        draw.line((x - 5, y, x + 5, y), fill=255)
        draw.line((x, y - 5, x, y + 5), fill=255)
    x = np.arange(130, 450)
    y = 370 - 25 * np.exp(-(((x + 9 * number) % 60 - 30) ** 2) / 20)
    draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=255, width=2)
    return np.asarray(image)


def assert_is_about(crop: Crop, expected: Crop, within: int = 8) -> None:
    """Check that at most two pixels are cut off, and at most ``within`` are left around."""
    for part, expected_part in zip(crop, expected, strict=True):
        assert -within <= part.start - expected_part.start <= 2
        assert -2 <= part.stop - expected_part.stop <= within


# ── found in the image ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_scan_of_a_cine_is_found_by_motion(sweep: NDArray[np.uint8], sector: Crop) -> None:
    region = find_scan_region(ArrayCine(on_screen(sweep)))
    assert region.source == "motion"
    assert_is_about(region.crop, sector)
    assert region.crop[0].start > TEXT_BOTTOM


def test_color_frames_and_other_values_give_the_same(sweep: NDArray[np.uint8]) -> None:
    frames = on_screen(sweep)
    gray = find_scan_region(ArrayCine(frames))
    for same in (
        ArrayCine(np.stack([frames] * 3, -1), rgb=True),
        ArrayCine(frames / 255),
        ArrayCine(frames.astype(np.uint16) * 16, value_range=(0, 4080)),
    ):
        assert find_scan_region(same).crop == gray.crop


@pytest.mark.parametrize("number", [0, 6, 11])
def test_the_scan_of_a_still_is_found_by_its_brightness(sweep: NDArray[np.uint8], sector: Crop, number: int) -> None:
    region = find_scan_region(ArrayCine(on_screen(sweep)[number]))
    assert region.source == "fan"
    assert_is_about(region.crop, sector)


def test_a_cine_in_which_only_clock_and_ecg_change_is_treated_as_a_still(
    sweep: NDArray[np.uint8], sector: Crop
) -> None:
    region = find_scan_region(ArrayCine(on_screen(sweep[[4] * 12])))
    assert region.source == "fan"
    assert_is_about(region.crop, sector)


def test_still_tissue_is_not_cut_off(sweep: NDArray[np.uint8], sector: Crop) -> None:
    frames = sweep[[4] * 12]
    frames[:, 40:200, 80:240] = sweep[:, 40:200, 80:240]  # a heart in a chest that does not move
    region = find_scan_region(ArrayCine(on_screen(frames)))
    assert region.source == "motion"
    assert_is_about(region.crop, sector)


def test_on_a_screen_that_is_not_black_motion_decides(sweep: NDArray[np.uint8], sector: Crop) -> None:
    region = find_scan_region(ArrayCine(on_screen(sweep, screen=60)))
    assert region.source == "motion"
    assert_is_about(region.crop, sector)


def test_the_outline_holds_the_sector_without_the_corners_beside_it(sweep: NDArray[np.uint8], sector: Crop) -> None:
    outline = find_scan_region(ArrayCine(on_screen(sweep))).outline
    drawn = Image.new("1", SCREEN[::-1])
    ImageDraw.Draw(drawn).polygon([(x, y) for y, x in outline], fill=1)
    inside = np.asarray(drawn)
    tissue = np.zeros(SCREEN, bool)
    tissue[CORNER[0] : CORNER[0] + 256, CORNER[1] : CORNER[1] + 320] = sweep.max(0) > 0
    assert inside[tissue].mean() > 0.98
    assert not inside[sector[0].start + 5, [sector[1].start + 5, sector[1].stop - 5]].any()


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((3, 200, 300), np.uint8),
        np.full((200, 300), 77, np.uint8),
        on_screen(np.zeros((12, 256, 320), np.uint8)),  # a screen without a scan
        np.zeros((2, 1, 1), np.uint8),
    ],
    ids=["black", "gray", "text alone", "one pixel"],
)
def test_without_a_visible_scan_it_is_the_whole_frame(frames: NDArray[np.uint8]) -> None:
    region = find_scan_region(ArrayCine(frames))
    height, width = frames.shape[-2:]
    assert region.source == "whole frame"
    assert region.crop == (slice(0, height), slice(0, width))
    assert region.outline.tolist() == [
        [-0.5, -0.5], [-0.5, width - 0.5], [height - 0.5, width - 0.5], [height - 0.5, -0.5]
    ]  # fmt: skip


def test_a_scan_that_fills_the_frame_is_not_cut(sweep: NDArray[np.uint8]) -> None:
    region = find_scan_region(ArrayCine(sweep[:, 100:161, 100:203]))
    assert region.crop == (slice(0, 61), slice(0, 103))
    assert region.source == "whole frame"


def test_a_still_on_a_screen_like_the_scan_is_not_cropped(sweep: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).normal(0, 3, SCREEN)
    region = find_scan_region(ArrayCine(np.clip(on_screen(sweep, screen=60)[6] + noise, 0, 255).astype(np.uint8)))
    assert region.source == "whole frame"
    assert "draw the region" in region.note


class Watched(ArrayCine):
    """Records which frames are read, and fails at some."""

    def __init__(self, array: NDArray[np.uint8], damaged: tuple[int, ...] = ()) -> None:
        super().__init__(array)
        self.read: list[int] = []
        self.damaged = damaged

    def _read(self, index: int) -> Frame:
        self.read.append(index)
        if index in self.damaged:
            raise SegcamError("damaged")
        return super()._read(index)


def test_few_frames_of_a_long_cine_are_read_and_each_once() -> None:
    cine = Watched(np.zeros((1000, 8, 8), np.uint8))
    find_scan_region(cine)
    assert len(cine.read) == len(set(cine.read)) <= 16
    assert (min(cine.read), max(cine.read)) == (0, 999)


def test_damaged_frames_are_skipped(sweep: NDArray[np.uint8], sector: Crop) -> None:
    assert_is_about(find_scan_region(Watched(on_screen(sweep), damaged=(0, 5))).crop, sector)
    assert find_scan_region(Watched(on_screen(sweep), damaged=tuple(range(12)))).source == "whole frame"


# ── the file's own, and drawn ones ──────────────────────────────────────────────────────────────────────────────────


def with_region(frames: NDArray[np.uint8], region: Crop) -> Cine:
    cine = ArrayCine(frames)
    cine.region = region
    return cine


def test_the_files_own_region_comes_first(sweep: NDArray[np.uint8], sector: Crop) -> None:
    file_region = slice(sector[0].start - 5, sector[0].stop + 30), slice(sector[1].start - 20, sector[1].stop)
    region = find_scan_region(with_region(on_screen(sweep), file_region))
    assert region.source == "dicom"
    assert region.crop == file_region
    assert region.outline[0].tolist() == [file_region[0].start - 0.5, file_region[1].start - 0.5]


def test_within_the_files_own_rectangle_only_the_fan_shows_tissue(sweep: NDArray[np.uint8], sector: Crop) -> None:
    frames = on_screen(sweep)
    tissue = known_tissue(with_region(frames, sector))
    ever_bright = frames.max(axis=0) > 30
    assert tissue is not None
    assert not tissue[: sector[0].start].any()
    assert tissue[sector].mean() < 0.9  # the rectangle's corners are bare screen
    inside = np.zeros(tissue.shape, bool)
    inside[sector] = True
    assert tissue[ever_bright & inside].mean() > 0.99


def test_tissue_is_unknown_where_only_the_whole_frame_was_found() -> None:
    assert known_tissue(ArrayCine(np.full((2, 60, 80), 90, np.uint8))) is None


def test_the_files_own_region_is_used_if_the_image_shows_nothing() -> None:
    file_region = slice(10, 90), slice(20, 120)
    assert find_scan_region(with_region(np.zeros((3, 100, 200), np.uint8), file_region)).source == "dicom"


def test_a_region_that_holds_little_of_the_tissue_is_stale(sweep: NDArray[np.uint8], sector: Crop) -> None:
    region = find_scan_region(with_region(on_screen(sweep), (slice(0, 130), slice(0, 200))))
    assert region.source == "motion"
    assert_is_about(region.crop, sector)


@pytest.mark.parametrize(
    ("file_region", "words"),
    [
        ((slice(0, 400), slice(0, 560)), "is far larger than the scan"),
        ((slice(50, 340), slice(0, 480)), "holds more than the scan"),
        ((slice(70, 280), slice(130, 450)), "cuts off tissue"),
        ((slice(70, 340), slice(170, 450)), "cuts off tissue"),
    ],
    ids=["whole screen", "with a gray bar", "bottom cut off", "side cut off"],
)
def test_a_region_that_the_pixels_contradict_is_not_used_and_noted(
    sweep: NDArray[np.uint8], sector: Crop, file_region: Crop, words: str
) -> None:
    frames = on_screen(sweep)
    for array in (frames, frames[6]):
        region = find_scan_region(with_region(array, file_region))
        assert region.source != "dicom"
        assert words in region.note
        assert_is_about(region.crop, sector)


def test_a_region_with_a_margin_of_bare_screen_is_the_files_own(sweep: NDArray[np.uint8], sector: Crop) -> None:
    file_region = slice(sector[0].start - 3, sector[0].stop + 30), slice(sector[1].start - 60, sector[1].stop + 40)
    assert find_scan_region(with_region(on_screen(sweep)[6], file_region)).source == "dicom"


def test_a_drawn_polygon_is_cropped_to_the_pixels_it_touches() -> None:
    vertices = [(9.6, 20.0), (30.2, 4.4), (35.5, 31.0)]
    region = ScanRegion.drawn(vertices, (50, 60, 3))
    assert region.source == "drawn"
    assert region.crop == (slice(10, 36), slice(4, 32))
    assert region.outline.tolist() == [list(vertex) for vertex in vertices]


def test_drawings_beyond_the_frame_are_cut_off() -> None:
    assert ScanRegion.drawn([(-7, -3), (-7, 80), (20, 80), (20, -3)], (50, 60)).crop == (slice(0, 21), slice(0, 60))


def test_the_drawn_rectangle_of_a_crop_gives_that_crop() -> None:
    whole = ScanRegion.whole((50, 60))
    assert ScanRegion.drawn(whole.outline, (50, 60)).crop == whole.crop


@pytest.mark.parametrize(
    ("vertices", "words"),
    [
        ([(0, 0), (9, 9)], "at least three corners"),
        (np.zeros((4, 3)), "at least three corners"),
        ([(60, 0), (60, 9), (70, 9)], "outside the frame.* Draw it over the image"),
        ([(0, -9), (5, -9), (5, -1)], "outside the frame"),
    ],
)
def test_a_drawing_that_is_not_a_region_is_refused_in_words(vertices: object, words: str) -> None:
    with pytest.raises(SegcamError, match=words):
        ScanRegion.drawn(vertices, (50, 60))  # type: ignore[arg-type]


def test_a_crop_is_given_in_words_or_in_pixels(sweep: NDArray[np.uint8]) -> None:
    cine = ArrayCine(on_screen(sweep)[0])
    assert crop_for("none", cine) is None
    assert crop_for("auto", cine) == find_scan_region(cine).crop
    assert crop_for("0, 10,100,90", cine) == (slice(10, 90), slice(0, 100))


@pytest.mark.parametrize("text", ["", "Auto", "1,2,3", "1,2,3,4,5", "1,2,3,x", "-1,2,3,4", "1.5,2,3,4"])
def test_other_words_for_a_crop_are_refused(text: str) -> None:
    with pytest.raises(SegcamError, match="not understood: give 'auto', 'none', or four numbers"):
        parse_crop(text)


# ── real ultrasound ─────────────────────────────────────────────────────────────────────────────────────────────────


@needs_data
@pytest.mark.parametrize(
    ("file", "source", "expected"),
    [
        ("cine/us_multiframe_ybr_30_frames.dcm", "motion", (slice(19, 206), slice(42, 302))),
        ("dicom/US1_J2KI.dcm", "fan", (slice(105, 342), slice(0, 640))),
        ("dicom/US1_UNCI.dcm", "fan", (slice(105, 342), slice(0, 640))),
        ("dicom/examples_palette.dcm", "fan", (slice(70, 350), slice(176, 744))),
    ],
)
def test_the_scan_of_real_dicom_files_is_found(file: str, source: str, expected: Crop) -> None:
    """The expected regions were read from the images by a person."""
    region = find_scan_region(open_cine(DATA / file))
    assert region.source == source
    assert_is_about(region.crop, expected)


@needs_data
def test_segmented_lesions_of_real_stills_are_in_the_region() -> None:
    for kind in ("hc18", "usgra"):
        for path in sorted((DATA / kind / "images").glob("*.png")):
            cine = open_cine(path)
            region = find_scan_region(cine)
            truth = open_cine(DATA / kind / "masks" / path.name)[0] > 0
            assert region.source == "fan", path.name
            assert truth[region.crop].sum() == truth.sum(), path.name
