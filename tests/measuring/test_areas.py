"""Areas, perimeters and volumes against analysis."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ellipe

from napari_segcam.errors import SegcamError
from napari_segcam.measuring.drawn import (
    crosses_itself,
    distance,
    ellipse_area,
    ellipse_perimeter,
    ellipse_points,
    line_across,
    move_ellipse_end,
    move_end,
    outline_area,
    outline_length,
)
from napari_segcam.measuring.finding_size import measure_finding
from napari_segcam.measuring.perimeter import perimeter
from napari_segcam.measuring.pixel_size import PixelSize
from napari_segcam.measuring.volume import ellipsoid_volume

ANISOTROPIC = PixelSize(0.2, 0.5, "mm")


def ellipse_mask(semi_axes: tuple[float, float], angle: float, spacing: tuple[float, float]) -> NDArray[np.bool_]:
    """An ellipse whose semi-axes are in mm, turned in mm."""
    reach = max(semi_axes)
    shape = tuple(int(2 * reach / length) + 7 for length in spacing)
    rows, columns = np.indices(shape)
    y = (rows - shape[0] / 2 + 0.3) * spacing[0]
    x = (columns - shape[1] / 2 + 0.1) * spacing[1]
    along = y * math.cos(angle) + x * math.sin(angle)
    beside = -y * math.sin(angle) + x * math.cos(angle)
    return np.asarray((along / semi_axes[0]) ** 2 + (beside / semi_axes[1]) ** 2 <= 1)


@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.25, 0.5), (0.5, 0.2)])
@pytest.mark.parametrize("angle", [0.0, 0.5, 1.2, math.pi / 2])
def test_an_ellipse_has_the_size_that_analysis_gives(angle: float, spacing: tuple[float, float]) -> None:
    first, second = 30.0, 18.0
    size = measure_finding(ellipse_mask((first, second), angle, spacing), spacing)
    pixel = max(spacing)
    assert -0.1 * pixel < size.longest.length - 2 * first < 1.5 * pixel
    assert size.across.length == pytest.approx(2 * second, abs=2 * pixel)
    assert size.area == pytest.approx(math.pi * first * second, rel=0.005)
    exact = 4 * first * float(ellipe(1 - (second / first) ** 2))
    assert size.perimeter == pytest.approx(exact, rel=0.01)
    assert size.equivalent_diameter == pytest.approx(2 * math.sqrt(first * second), rel=0.003)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.3, 1.0)])
def test_perimeter_of_straight_sides(spacing: tuple[float, float]) -> None:
    square = np.ones((200, 120), bool)
    sides = 2 * (200 * spacing[0] + 120 * spacing[1])
    assert perimeter(square, PixelSize(*spacing, "mm")) == pytest.approx(sides, rel=0.03)


def test_perimeter_has_the_unit_of_a_length() -> None:
    mask = ellipse_mask((12.0, 7.0), 0.4, (0.2, 0.5))
    small, large = (perimeter(mask, PixelSize(0.2 * k, 0.5 * k, "mm")) for k in (1, 10))
    assert large == pytest.approx(10 * small)


def test_ellipse_formulas() -> None:
    assert ellipse_area(6.0, 4.0) == pytest.approx(math.pi * 6)
    assert ellipse_perimeter(5.0, 5.0) == pytest.approx(math.pi * 5)
    for first, second in ((10.0, 9.0), (10.0, 4.0), (10.0, 1.0)):
        exact = 2 * first * float(ellipe(1 - (second / first) ** 2))
        assert ellipse_perimeter(first, second) == pytest.approx(exact, rel=1e-4)
    assert ellipse_perimeter(10.0, 0.0) == pytest.approx(20.0, rel=0.005)
    assert ellipse_perimeter(0.0, 0.0) == 0.0


def test_an_ellipse_is_drawn_through_the_ends_of_its_axes() -> None:
    axis = ((10.0, 10.0), (40.0, 22.0))
    ends = (*axis, *line_across(axis, 5.0, ANISOTROPIC))
    outline = ellipse_points(ends, ANISOTROPIC)
    first, second = distance(*axis, ANISOTROPIC), 5.0
    assert outline_area(outline, ANISOTROPIC) == pytest.approx(ellipse_area(first, second), rel=0.002)
    places = np.array(outline)
    for end in ends:
        assert np.hypot(*(places - end).T).min() < 1e-9
    assert outline_length(outline, ANISOTROPIC) == pytest.approx(ellipse_perimeter(first, second), rel=0.002)


def is_at_right_angle(points: tuple[tuple[float, float], ...], pixel_size: PixelSize) -> bool:
    first = np.subtract(points[1], points[0]) * (pixel_size.row, pixel_size.column)
    second = np.subtract(points[3], points[2]) * (pixel_size.row, pixel_size.column)
    return bool(abs(first @ second) < 1e-9 * max(1.0, np.hypot(*first) * np.hypot(*second)))


def test_a_line_across_has_its_length_and_a_right_angle_in_mm() -> None:
    axis = ((10.0, 10.0), (40.0, 22.0))
    across = line_across(axis, 3.0, ANISOTROPIC, share=0.25)
    assert distance(*across, ANISOTROPIC) == pytest.approx(3.0)
    assert is_at_right_angle((*axis, *across), ANISOTROPIC)
    middle = np.mean(across, axis=0)
    assert middle == pytest.approx([17.5, 13.0])


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_moved_ends_keep_the_right_angle(index: int) -> None:
    axis = ((10.0, 10.0), (40.0, 22.0))
    points = (*axis, *line_across(axis, 3.0, ANISOTROPIC))
    moved = move_end(points, index, (33.0, 41.0), ANISOTROPIC)
    assert moved[index] == pytest.approx((33.0, 41.0))
    assert is_at_right_angle(moved, ANISOTROPIC)
    if index < 2:
        assert distance(moved[2], moved[3], ANISOTROPIC) == pytest.approx(3.0)
        assert moved[1 - index] == points[1 - index]
    else:
        assert moved[:2] == axis


def test_moved_ends_of_one_line_and_of_a_line_without_length() -> None:
    line = ((1.0, 2.0), (5.0, 6.0))
    assert move_end(line, 1, (7.0, 8.0), ANISOTROPIC) == ((1.0, 2.0), (7.0, 8.0))
    points = (*line, (2.0, 4.0), (4.0, 2.0))
    assert move_end(points, 1, (1.0, 2.0), PixelSize())[2:] == points[2:]  # on top of the other end: nothing turns


def test_traced_outlines() -> None:
    rectangle = ((0.0, 0.0), (0.0, 8.0), (5.0, 8.0), (5.0, 0.0))
    assert outline_area(rectangle, ANISOTROPIC) == pytest.approx(8 * 0.5 * 5 * 0.2)
    assert outline_length(rectangle, ANISOTROPIC) == pytest.approx(2 * (8 * 0.5 + 5 * 0.2))
    assert not crosses_itself(rectangle)
    assert crosses_itself((rectangle[0], rectangle[2], rectangle[1], rectangle[3]))
    assert not crosses_itself(rectangle[:3])


def test_volume_of_an_ellipsoid() -> None:
    assert ellipsoid_volume(10.0, 10.0, 10.0) == pytest.approx(4 / 3 * math.pi * 5**3)
    assert ellipsoid_volume(40.0, 30.0, 20.0) == pytest.approx(4 / 3 * math.pi * 20 * 15 * 10)
    with pytest.raises(SegcamError, match="not possible"):
        ellipsoid_volume(10.0, math.nan, 10.0)


def test_moved_ends_of_an_ellipse_keep_its_middle() -> None:
    axis = ((10.0, 10.0), (40.0, 22.0))
    points = (*axis, *line_across(axis, 3.0, ANISOTROPIC))
    for index, to in ((1, (52.0, 30.0)), (3, (20.0, 25.0))):
        moved = move_ellipse_end(points, index, to, ANISOTROPIC)
        assert is_at_right_angle(moved, ANISOTROPIC)
        assert np.mean(moved[:2], axis=0) == pytest.approx(np.mean(moved[2:], axis=0))
        assert distance(moved[2], moved[3], ANISOTROPIC) == pytest.approx(3.0) or index == 3
    wide = move_ellipse_end(points, 2, (25.0 + 5 * 2.5, 16.0), ANISOTROPIC)
    start, end = np.array(axis) * (0.2, 0.5)
    offset = np.array([37.5 * 0.2, 16.0 * 0.5]) - start
    direction = (end - start) / np.hypot(*(end - start))
    beside = abs(offset[0] * direction[1] - offset[1] * direction[0])
    assert distance(wide[2], wide[3], ANISOTROPIC) == pytest.approx(2 * beside)
    assert move_ellipse_end(points, 1, axis[0], ANISOTROPIC)[2:] == points[2:]
