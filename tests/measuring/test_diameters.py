"""Diameters against brute force: all pairs of points of the outline, and lines that sweep across."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.errors import SegcamError
from napari_segcam.measuring.components import component, without_holes
from napari_segcam.measuring.diameters import Diameter, longest_across, longest_diameter
from napari_segcam.measuring.finding_size import measure_finding
from napari_segcam.measuring.outline import mask_outline, polygon_outline
from napari_segcam.measuring.pixel_size import PixelSize

SPACINGS = [(1.0, 1.0), (0.2, 0.5), (1.7, 0.3)]


def random_component(seed: int) -> NDArray[np.bool_]:
    """A ragged component with holes and bays."""
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.normal(size=(30, 40)), 2.0)
    return component(noise > np.quantile(noise, 0.6))


def edge_middles(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The points halfway between a pixel inside and a neighbor outside, found pixel by pixel."""
    inside = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    return np.array(
        [
            (row + down / 2, column + right / 2)
            for row, column in sorted(inside)
            for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0))
            if (row + down, column + right) not in inside
        ]
    )


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(8))
def test_longest_diameter_is_the_longest_of_all_pairs(seed: int, spacing: tuple[float, float]) -> None:
    mask = random_component(seed)
    size = measure_finding(mask, spacing)
    points = edge_middles(mask) * spacing
    distances = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    assert size.longest.length == pytest.approx(distances.max(), rel=1e-12)
    ends = np.array([size.longest.start, size.longest.end]) * spacing
    assert np.hypot(*(ends[1] - ends[0])) == pytest.approx(size.longest.length)
    for end in ends:  # both are points of the outline
        assert np.hypot(*(points - end).T).min() < 1e-9


def width_by_sweeping(mask: NDArray[np.bool_], longest: Diameter, spacing: tuple[float, float], lines: int) -> float:
    """The greatest width across a line, from lines that are laid through the outline one by one."""
    start, end = (np.array(point) * spacing for point in (longest.start, longest.end))
    direction = (end - start) / np.hypot(*(end - start))
    across = np.array([-direction[1], direction[0]])
    pieces = [
        ((first * spacing - start) @ direction, (first * spacing - start) @ across,
         (second * spacing - start) @ direction, (second * spacing - start) @ across)
        for first, second in mask_outline(without_holes(mask))
    ]  # fmt: skip
    greatest = 0.0
    for place in np.linspace(-1e-9, np.hypot(*(end - start)) + 1e-9, lines):
        heights = [
            h0 + (place - u0) / (u1 - u0) * (h1 - h0) for u0, h0, u1, h1 in pieces if (u0 - place) * (u1 - place) < 0
        ]
        if len(heights) > 1:
            greatest = max(greatest, max(heights) - min(heights))
    return greatest


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(4))
def test_longest_across_is_the_greatest_width_of_a_sweep(seed: int, spacing: tuple[float, float]) -> None:
    mask = random_component(seed)
    size = measure_finding(mask, spacing)
    swept = width_by_sweeping(mask, size.longest, spacing, 4001)
    assert swept <= size.across.length + 1e-9
    assert swept == pytest.approx(size.across.length, rel=0.02)
    along = np.subtract(size.longest.end, size.longest.start) * spacing
    across = np.subtract(size.across.end, size.across.start) * spacing
    assert abs(along @ across) < 1e-9 * np.hypot(*along) * np.hypot(*across)  # at a right angle in mm
    outline = mask_outline(without_holes(mask)) * spacing
    for end in (size.across.start, size.across.end):
        assert distance_to_outline(np.array(end) * spacing, outline) < 1e-9


def distance_to_outline(point: NDArray[np.float64], pieces: NDArray[np.float64]) -> float:
    start, step = pieces[:, 0], pieces[:, 1] - pieces[:, 0]
    share = np.clip(((point - start) * step).sum(1) / (step**2).sum(1), 0, 1)
    return float(np.hypot(*(start + share[:, None] * step - point).T).min())


def test_the_outline_closes_and_separates_the_pixels() -> None:
    mask = random_component(3)
    pieces = mask_outline(mask)
    ends, counts = np.unique(pieces.reshape(-1, 2), axis=0, return_counts=True)
    assert (counts == 2).all()
    assert {tuple(end) for end in ends} == {tuple(point) for point in edge_middles(mask)}


@pytest.mark.parametrize("turn", [0, 1])
def test_pixels_that_touch_at_a_corner_have_one_outline(turn: int) -> None:
    pieces = mask_outline(np.rot90(np.eye(2, dtype=bool), turn))
    unused, loops = list(range(len(pieces))), 0
    while unused:  # follow each loop to its end
        loops += 1
        front = pieces[unused.pop()][1]
        while (found := next((i for i in unused if (pieces[i] == front).all(1).any()), None)) is not None:
            unused.remove(found)
            front = pieces[found][1 if (pieces[found][0] == front).all() else 0]
    assert loops == 1


def test_small_and_straight_findings() -> None:
    one = np.zeros((5, 6), bool)
    one[2, 3] = True
    size = measure_finding(one, (0.2, 0.5))
    assert (size.longest.length, size.across.length) == pytest.approx((0.5, 0.2))  # the pixel itself, edge to edge
    assert size.perimeter is None
    assert "too few" in size.undefined
    row = np.zeros((5, 9), bool)
    row[2, 1:8] = True
    size = measure_finding(row)
    assert (size.longest.length, size.across.length, size.area) == (7.0, 1.0, 7.0)
    assert size.unit == "px"
    assert measure_finding(row.T, (0.3, 0.1)).longest.length == pytest.approx(2.1)


def test_a_mask_without_spacing_keeps_the_shape_of_its_pixels() -> None:
    square = np.zeros((9, 9), bool)
    square[2:7, 2:7] = True
    assert measure_finding(square, aspect=2.0).longest.start[0] != measure_finding(square, aspect=2.0).longest.end[0]
    column = np.zeros((9, 9), bool)
    column[2:7, 4] = True
    assert measure_finding(column, aspect=2.0).longest.length == pytest.approx(10.0)
    assert measure_finding(column, (0.1, 0.1), aspect=2.0).longest.length == pytest.approx(0.5)


def test_holes_edges_and_other_components_are_said() -> None:
    mask = np.zeros((20, 20), bool)
    mask[0:9, 3:12] = True
    mask[3:5, 5:7] = False
    mask[14:16, 14:16] = True
    size = measure_finding(mask)
    assert (size.pixels, size.hole_pixels, size.touches_edge, size.others) == (77, 4, True, 1)
    notes = " ".join(size.notes)
    assert "edge" in notes
    assert "holes (4 pixels)" in notes
    assert "1 more part" in notes
    other = measure_finding(mask, at=(14, 15))
    assert (other.pixels, other.touches_edge, other.hole_pixels) == (4, False, 0)


@pytest.mark.parametrize(
    ("mask", "arguments", "words"),
    [
        (np.zeros((4, 4)), {}, "the mask is empty"),
        (np.eye(4), {"at": (0, 3)}, "nothing at row 0, column 3"),
        (np.eye(4), {"at": (4, 0)}, "outside"),
        (np.eye(4), {"spacing_mm": (0.0, 1.0)}, "more than 0"),
        (np.eye(4), {"spacing_mm": (float("nan"), 1.0)}, "more than 0"),
        (np.zeros((2, 4, 4)), {}, "3 axes"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    mask: NDArray[np.float64], arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(SegcamError, match=words):
        measure_finding(mask, **arguments)  # type: ignore[arg-type]


def test_diameters_of_a_drawn_outline() -> None:
    triangle = [(0.0, 0.0), (0.0, 4.0), (3.0, 0.0)]
    outline, size = polygon_outline(triangle), PixelSize()
    longest = longest_diameter(outline, size)
    assert longest.length == 5.0
    assert longest_across(outline, (longest.start, longest.end), size).length == pytest.approx(12 / 5)
    with pytest.raises(ValueError, match="direction"):
        longest_across(outline, ((1.0, 1.0), (1.0, 1.0)), size)


def test_a_concave_outline_is_measured_between_its_outermost_points() -> None:
    mask = np.zeros((30, 40), bool)
    mask[5:25, 3:6] = mask[5:25, 34:37] = mask[22:25, 3:37] = True  # a U
    size = measure_finding(mask)
    assert size.across.length == pytest.approx(width_by_sweeping(mask, size.longest, (1, 1), 4001), rel=0.02)
