"""Regions are computed on the frame's grid from the predicted mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.targets.region import (
    At,
    Boundary,
    Box,
    Component,
    FalseNegative,
    FalsePositive,
    Pixel,
    Polygon,
)


@pytest.fixture
def mask() -> np.ndarray:
    """Mask of 4 pixels, of 9 pixels, and of a single pixel that touches the latter at a corner."""
    pixels = np.zeros((12, 14), dtype=bool)
    pixels[1:3, 1:3] = True
    pixels[5:8, 5:8] = True
    pixels[8, 8] = True
    return pixels


def test_the_largest_component_counts_pixels_that_touch_by_a_corner(mask: np.ndarray) -> None:
    region = Component().pixels(mask)
    assert region.sum() == 10
    assert region[8, 8]


def test_the_component_at_a_pixel(mask: np.ndarray) -> None:
    assert Component((2, 2)).pixels(mask).sum() == 4
    assert not Component((0, 13)).pixels(mask).any(), "there is no component at that pixel"
    assert not Component().pixels(np.zeros_like(mask)).any()


def test_what_is_at_a_pixel_is_its_component_or_a_disk_beside_the_mask(mask: np.ndarray) -> None:
    component = At(8, 8).pixels(mask)
    assert component.sum() == 10
    assert At(8, 8).is_found(mask)
    beside = At(5, 4, radius=2)  # the mask begins one column further
    assert not beside.is_found(mask)
    expected = [
        [row, column]
        for row in range(12)
        for column in range(14)
        if (row - 5) ** 2 + (column - 4) ** 2 <= 4 and not mask[row, column]
    ]
    assert np.argwhere(beside.pixels(mask)).tolist() == expected
    assert len(expected) == 10, "13 pixels of the disk, without the three that are in the mask"
    assert At(0, 13, radius=1).pixels(mask).sum() == 3, "a disk ends at the edge of the frame"
    with pytest.raises(SegcamError, match=r"The pixel \(12, 0\) is outside the frame of 12×14 pixels"):
        At(12, 0).pixels(mask)


def test_pixel_and_box(mask: np.ndarray) -> None:
    assert np.argwhere(Pixel(3, 4).pixels(mask)).tolist() == [[3, 4]]
    box = Box(-2, 10, 2, 99).pixels(mask)
    assert np.argwhere(box).min(0).tolist() == [0, 10]
    assert np.argwhere(box).max(0).tolist() == [1, 13]


def test_a_polygon_holds_the_pixels_whose_centers_are_in_it(mask: np.ndarray) -> None:
    square = Polygon([(1.5, 2.5), (1.5, 6.5), (4.5, 6.5), (4.5, 2.5)]).pixels(mask)
    expected = np.zeros_like(mask)
    expected[2:5, 3:7] = True
    np.testing.assert_array_equal(square, expected)


def test_the_boundary_is_as_wide_on_both_sides() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[6:14, 6:14] = True
    rows = Boundary(2).pixels(mask)[:, 10]
    assert np.flatnonzero(rows).tolist() == [4, 5, 6, 7, 12, 13, 14, 15]
    assert not Boundary(2).pixels(np.zeros_like(mask)).any()


def test_false_areas_are_where_mask_and_truth_differ(mask: np.ndarray) -> None:
    truth = np.zeros(mask.shape, np.uint8)
    truth[5:8, 5:11] = 2
    np.testing.assert_array_equal(FalsePositive(truth).pixels(mask), mask & (truth == 0))
    np.testing.assert_array_equal(FalseNegative(truth).pixels(mask), ~mask & (truth > 0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda mask: Pixel(12, 0).pixels(mask), "outside the frame of 12×14"),
        (lambda mask: Component((0, -1)).pixels(mask), "outside the frame"),
        (lambda mask: FalsePositive(np.zeros((3, 3))).pixels(mask), r"shape \(3, 3\), but the frame has \(12, 14\)"),
        (lambda _mask: Polygon([(0, 0), (1, 1)]), "at least three corners"),
    ],
)
def test_regions_that_do_not_fit_the_frame_are_refused(mask: np.ndarray, make: Any, message: str) -> None:
    with pytest.raises(SegcamError, match=message):
        make(mask)
