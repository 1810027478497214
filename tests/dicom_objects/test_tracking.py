"""Findings keep their identity over the frames only as far as the masks tell."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_segcam.dicom_objects.findings.measured_mask import MOST_FINDINGS, MeasuredMask
from napari_segcam.dicom_objects.findings.tracking import link, track
from napari_segcam.measuring.finding_size import measure_finding

SHAPE = (40, 60)
Box = tuple[int, int, int, int]


def mask_of(*boxes: Box) -> NDArray[np.bool_]:
    """Return a mask with boxes of rows and columns."""
    mask = np.zeros(SHAPE, np.bool_)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


def measured(*boxes: Box) -> MeasuredMask:
    return MeasuredMask.of(mask_of(*boxes), (0.3, 0.5))


def tracks_of(*frames: tuple[Box, ...] | None, is_moving: bool = True) -> dict[tuple[int, int], str]:
    """Return the identifiers in frames of boxes; None for a frame that was not examined."""
    uids: Iterator[int] = count(1)
    examined = [(number, measured(*boxes)) for number, boxes in enumerate(frames) if boxes is not None]
    found = track("cyst", examined, lambda: f"1.{next(uids)}", is_moving=is_moving)
    by_identifier = {one.identifier: one.uid for one in found.values()}
    assert len(set(by_identifier.values())) == len(by_identifier)
    assert all(by_identifier[one.identifier] == one.uid for one in found.values())
    return {key: one.identifier for key, one in found.items()}


def test_a_finding_that_moves_keeps_its_identifier() -> None:
    assert tracks_of(((5, 15, 5, 15),), ((5, 15, 8, 18),), ((6, 16, 12, 22),)) == {
        (0, 1): "cyst 1",
        (1, 1): "cyst 1",
        (2, 1): "cyst 1",
    }


def test_two_findings_keep_their_identifiers_even_if_their_order_changes() -> None:
    first = ((5, 15, 5, 15), (7, 17, 40, 50))
    second = ((9, 19, 5, 15), (5, 15, 40, 50))  # now the right one is met first
    assert tracks_of(first, second) == {(0, 1): "cyst 1", (0, 2): "cyst 2", (1, 1): "cyst 2", (1, 2): "cyst 1"}


def test_a_missing_frame_ends_a_track() -> None:
    box = ((5, 15, 5, 15),)
    assert tracks_of(box, None, box) == {(0, 1): "cyst 1", (2, 1): "cyst 2"}
    assert tracks_of(box, (), box) == {(0, 1): "cyst 1", (2, 1): "cyst 2"}


def test_stills_are_not_followed() -> None:
    box = ((5, 15, 5, 15),)
    assert tracks_of(box, box, is_moving=False) == {(0, 1): "cyst 1", (1, 1): "cyst 2"}


def test_a_speck_beside_a_finding_does_not_take_its_identity() -> None:
    later = ((5, 15, 5, 14), (13, 15, 15, 16))  # a column is missing between the finding and the speck
    assert tracks_of(((5, 15, 5, 16),), later) == {(0, 1): "cyst 1", (1, 1): "cyst 1", (1, 2): "cyst 2"}


def test_a_finding_that_parts_in_halves_is_neither() -> None:
    whole, halves = measured((5, 15, 5, 25)), measured((5, 15, 5, 14), (5, 15, 16, 25))
    found = track("cyst", [(0, whole), (1, halves)], lambda: "1.2")
    assert {one.identifier for one in found.values()} == {"cyst 1", "cyst 2", "cyst 3"}
    assert all("new identifier" in found[1, number].note for number in (1, 2))
    joined = track("cyst", [(0, halves), (1, whole)], lambda: "1.2")
    assert joined[1, 1].identifier == "cyst 3"
    assert "2 findings of the frame before" in joined[1, 1].note


def test_links_of_random_masks_are_one_to_one() -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        before, after = (MeasuredMask.of(random.random(SHAPE) < 0.2, None).numbers for _ in range(2))
        links = link(before, after)
        assert len(set(links.same.values())) == len(links.same)
        assert not set(links.same) & set(links.unclear)
        for later, earlier in links.same.items():
            assert ((after == later) & (before == earlier)).any()


@pytest.mark.parametrize("spacing", [(0.3, 0.5), None])
def test_sizes_equal_those_of_the_viewer(spacing: tuple[float, float] | None) -> None:
    boxes = ((0, 9, 3, 20), (20, 33, 30, 41), (36, 40, 50, 60))
    mask = mask_of(*boxes)
    mask[24:27, 33:36] = False  # a hole
    probabilities = np.random.default_rng(2).random(SHAPE, np.float32)
    found = MeasuredMask.of(mask, spacing, 0.6, probabilities)
    assert sorted(found.sizes) == [1, 2, 3]
    for number, (top, _, left, _) in enumerate(boxes, start=1):
        expected = measure_finding(mask, spacing, at=(top, left), aspect=0.6)
        size = found.sizes[number]
        assert size.area == expected.area
        assert size.longest.length == pytest.approx(expected.longest.length, rel=1e-12)
        assert size.across.length == pytest.approx(expected.across.length, rel=1e-12)
        assert size.longest.start == pytest.approx(expected.longest.start, abs=1e-9)
        assert (size.touches_edge, size.hole_pixels) == (expected.touches_edge, expected.hole_pixels)
        own = np.zeros(SHAPE, np.bool_)
        own[boxes[number - 1][0] : boxes[number - 1][1], boxes[number - 1][2] : boxes[number - 1][3]] = True
        assert found.probabilities[number] == pytest.approx(probabilities[own & mask].mean(dtype=float), rel=1e-12)
    np.testing.assert_array_equal(found.mask, mask)
    assert not found.words_left_out


def test_of_many_parts_the_largest_are_measured_and_the_rest_is_counted() -> None:
    mask = np.zeros((100, 100), np.bool_)
    mask[::4, ::4] = True  # 625 single pixels
    mask[50:60, 50:60] = True
    found = MeasuredMask.of(mask, None)
    assert len(found.sizes) == MOST_FINDINGS
    assert max(size.pixels for size in found.sizes.values()) >= 100
    total = sum(size.pixels for size in found.sizes.values()) + found.pixels_left_out
    assert total == np.count_nonzero(mask)
    assert f"{found.count - MOST_FINDINGS} smallest" in found.words_left_out
    np.testing.assert_array_equal(found.mask, mask)


def test_a_blank_mask_has_no_findings() -> None:
    found = measured()
    assert (found.count, found.sizes, found.pixels_left_out) == (0, {}, 0)
    assert not found.mask.any()
