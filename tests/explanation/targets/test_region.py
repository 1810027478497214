"""Regions are worked out on the frame's grid from what the network found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.targets.region import (
    Boundary,
    Box,
    Component,
    FalseNegative,
    FalsePositive,
    Pixel,
    Polygon,
)


@pytest.fixture
def found() -> np.ndarray:
    """A part of 4 pixels, one of 9, and a single pixel that touches the latter by its corner."""
    mask = np.zeros((12, 14), dtype=bool)
    mask[1:3, 1:3] = True
    mask[5:8, 5:8] = True
    mask[8, 8] = True
    return mask


def test_the_largest_component_counts_pixels_that_touch_by_a_corner(found: np.ndarray) -> None:
    region = Component().pixels(found)
    assert region.sum() == 10
    assert region[8, 8]


def test_the_component_at_a_place(found: np.ndarray) -> None:
    assert Component((2, 2)).pixels(found).sum() == 4
    assert not Component((0, 13)).pixels(found).any(), "there is nothing at that place"
    assert not Component().pixels(np.zeros_like(found)).any()


def test_pixel_and_box(found: np.ndarray) -> None:
    assert np.argwhere(Pixel(3, 4).pixels(found)).tolist() == [[3, 4]]
    box = Box(-2, 10, 2, 99).pixels(found)
    assert np.argwhere(box).min(0).tolist() == [0, 10]
    assert np.argwhere(box).max(0).tolist() == [1, 13]


def test_a_polygon_holds_the_pixels_whose_centers_lie_in_it(found: np.ndarray) -> None:
    square = Polygon([(1.5, 2.5), (1.5, 6.5), (4.5, 6.5), (4.5, 2.5)]).pixels(found)
    expected = np.zeros_like(found)
    expected[2:5, 3:7] = True
    np.testing.assert_array_equal(square, expected)


def test_the_boundary_reaches_as_far_to_both_sides() -> None:
    found = np.zeros((20, 20), dtype=bool)
    found[6:14, 6:14] = True
    rows = Boundary(2).pixels(found)[:, 10]
    assert np.flatnonzero(rows).tolist() == [4, 5, 6, 7, 12, 13, 14, 15]
    assert not Boundary(2).pixels(np.zeros_like(found)).any()


def test_false_areas_are_what_mask_and_truth_do_not_share(found: np.ndarray) -> None:
    truth = np.zeros(found.shape, np.uint8)
    truth[5:8, 5:11] = 2
    np.testing.assert_array_equal(FalsePositive(truth).pixels(found), found & (truth == 0))
    np.testing.assert_array_equal(FalseNegative(truth).pixels(found), ~found & (truth > 0))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda found: Pixel(12, 0).pixels(found), "outside the frame of 12×14"),
        (lambda found: Component((0, -1)).pixels(found), "outside the frame"),
        (lambda found: FalsePositive(np.zeros((3, 3))).pixels(found), r"shape \(3, 3\), but the frame has \(12, 14\)"),
        (lambda _found: Polygon([(0, 0), (1, 1)]), "at least three corners"),
    ],
)
def test_what_does_not_go_with_the_frame_is_said(found: np.ndarray, make: Any, said: str) -> None:
    with pytest.raises(SegcamError, match=said):
        make(found)
