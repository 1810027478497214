from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_segcam.reporting.figures import (
    color_heat,
    display,
    fit_to_tile,
    outline_pixels,
    with_heat,
    with_mask,
    with_outline,
)


def test_gray_and_color_frames_are_shown_as_they_are() -> None:
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(display(gray), np.repeat(gray[..., None], 3, 2))
    color = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    np.testing.assert_array_equal(display(color), color)


@pytest.mark.parametrize(
    ("frame", "value_range", "white"),
    [
        (np.array([[0, 65535]], np.uint16), None, 255),
        (np.array([[0.0, 1.0]]), None, 255),
        (np.array([[0, 4095]], np.uint16), (0, 4095), 255),
        (np.array([[0, 9000]], np.uint16), (0, 4095), 255),
    ],
)
def test_black_and_white_are_what_the_range_says(
    frame: np.ndarray, value_range: tuple[float, float] | None, white: int
) -> None:
    assert display(frame, value_range)[0, :, 0].tolist() == [0, white]


def test_no_heat_leaves_the_picture_and_full_heat_colors_it() -> None:
    picture = np.full((2, 2, 3), 100, np.uint8)
    heat = np.array([[0, 0], [0, 1]], np.float32)
    heated = with_heat(picture, heat, opacity=1)
    np.testing.assert_array_equal(heated[0, 0], [100, 100, 100])
    assert heated[1, 1, 0] > heated[1, 1, 2], "the hot end of inferno is yellow"


def test_the_outline_is_the_masks_rim_and_nothing_else() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[4:16, 4:16] = 1
    drawn = (with_outline(np.zeros((20, 20, 3), np.uint8), mask) > 0).any(-1)
    assert drawn[4, 4:16].all()
    assert not drawn[8:12, 8:12].any()
    assert not drawn[mask == 0].any()


@pytest.mark.parametrize("shape", [(30, 40), (2, 9), (9, 1)])
def test_the_rim_is_what_erosion_takes_away(shape: tuple[int, int]) -> None:
    inside = ndimage.binary_dilation(np.random.default_rng(0).random(shape) < 0.1, iterations=3)
    np.testing.assert_array_equal(outline_pixels(inside), inside & ~ndimage.binary_erosion(inside, iterations=2))


def test_an_empty_mask_has_no_outline() -> None:
    picture = np.full((5, 5, 3), 7, np.uint8)
    np.testing.assert_array_equal(with_outline(picture, np.zeros((5, 5), np.uint8)), picture)


def test_each_label_has_its_own_color() -> None:
    mask = np.zeros((30, 30), np.uint8)
    mask[2:12, 2:12], mask[12:22, 2:12] = 1, 2
    drawn = with_outline(np.zeros((30, 30, 3), np.uint8), mask, ("#ff0000", "#00ff00"))
    assert drawn[2, 5].tolist() == drawn[11, 5].tolist() == [255, 0, 0]
    assert drawn[12, 5].tolist() == drawn[21, 5].tolist() == [0, 255, 0]


def test_a_filled_mask_lets_the_picture_shine_through() -> None:
    picture = np.tile(np.arange(0, 200, 10, dtype=np.uint8)[:, None, None], (1, 20, 3))
    mask = np.zeros((20, 20), np.uint8)
    mask[2:18, 2:18] = 1
    drawn = with_mask(picture, mask, ("#ff0000",))
    np.testing.assert_array_equal(drawn[mask == 0], picture[mask == 0])
    inner = drawn[5:15, 10].astype(int)
    assert (inner[:, 0] > picture[5:15, 10, 0]).all()
    assert (np.diff(inner[:, 1]) > 0).all()


def test_a_signed_map_keeps_its_colors_where_nothing_is_negative() -> None:
    colors = color_heat(np.array([[0, 1]], np.float32), signed=True)
    assert colors[0, 0].min() > 240, "0 is white"
    assert colors[0, 1, 0] > 2 * colors[0, 1, 2], "1 is red"


@pytest.mark.parametrize(
    ("shape", "wanted"), [((100, 130), (200, 260)), ((300, 400), (300, 400)), ((840, 420), (420, 210))]
)
def test_pictures_are_fitted_to_a_sheet(shape: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert fit_to_tile(np.zeros((*shape, 3), np.uint8)).shape == (*wanted, 3)


@pytest.mark.parametrize(
    ("shape", "aspect", "wanted"),
    [
        ((96, 128), 4 / 3, (260, 260)),  # small and squeezed
        ((600, 800), 4 / 3, (420, 420)),
        ((300, 300), 0.8, (300, 375)),  # between the bounds no pixel is lost
        ((300, 200), 1.001, (300, 200)),
    ],
)
def test_pictures_are_fitted_in_their_true_shape(
    shape: tuple[int, int], aspect: float, wanted: tuple[int, int]
) -> None:
    assert fit_to_tile(np.zeros((*shape, 3), np.uint8), pixel_aspect=aspect).shape == (*wanted, 3)
