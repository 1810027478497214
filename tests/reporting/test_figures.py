from __future__ import annotations

import numpy as np
import pytest

from napari_segcam.reporting.figures import Tile, display, sheet, with_heat, with_outline


def test_gray_and_colour_frames_are_shown_as_they_are() -> None:
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(display(gray), np.repeat(gray[..., None], 3, 2))
    colour = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    np.testing.assert_array_equal(display(colour), colour)


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


def test_no_heat_leaves_the_picture_and_full_heat_colours_it() -> None:
    picture = np.full((2, 2, 3), 100, np.uint8)
    heat = np.array([[0, 0], [0, 1]], np.float32)
    heated = with_heat(picture, heat, opacity=1)
    np.testing.assert_array_equal(heated[0, 0], [100, 100, 100])
    assert heated[1, 1, 0] > heated[1, 1, 2], "turbo's hot end is red"


def test_the_outline_is_the_masks_rim_and_nothing_else() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[4:16, 4:16] = 1
    drawn = (with_outline(np.zeros((20, 20, 3), np.uint8), mask) > 0).any(-1)
    assert drawn[4, 4:16].all()
    assert not drawn[8:12, 8:12].any()
    assert not drawn[mask == 0].any()


def test_an_empty_mask_has_no_outline() -> None:
    picture = np.full((5, 5, 3), 7, np.uint8)
    np.testing.assert_array_equal(with_outline(picture, np.zeros((5, 5), np.uint8)), picture)


def test_a_sheet_holds_every_tile_unscaled() -> None:
    tiles = [Tile(str(n), np.full((10, 12, 3), 40 * n + 40, np.uint8)) for n in range(5)]
    drawn = sheet(tiles, columns=2)
    for tile in tiles:
        assert (drawn == tile.picture[0, 0]).all(-1).sum() >= 120
