"""The order of the readings: reproducible, each rater's own, with repeats well after the first reading."""

from __future__ import annotations

import pytest

from napari_segcam.review.readings import Reading, reading_order

CASES = [f"c{number}" for number in range(40)]


def test_without_a_seed_the_order_is_that_of_the_cases() -> None:
    assert reading_order(CASES, "anna") == [Reading(case) for case in CASES]


def test_a_seed_shuffles_each_raters_list_in_the_same_way_every_time() -> None:
    first = reading_order(CASES, "anna", 3)
    assert first == reading_order(CASES, "anna", 3)
    assert sorted(first) == sorted(map(Reading, CASES))
    others = [first, reading_order(CASES, "anna", 4), reading_order(CASES, "ben", 3), [Reading(case) for case in CASES]]
    assert len({tuple(order) for order in others}) == 4


def test_the_order_is_the_same_on_every_machine_and_in_every_version() -> None:
    order = reading_order(["a", "b", "c", "d"], "anna", 1, 1)
    assert [f"{reading.case}{reading.repeat}" for reading in order] == ["b1", "d1", "c1", "d2", "a1"]


@pytest.mark.parametrize("seed", range(20))
def test_a_repeat_comes_once_and_well_after_the_first_reading(seed: int) -> None:
    order = reading_order(CASES, "anna", seed, 10)
    repeats = [reading for reading in order if reading.repeat == 2]
    assert len(order) == 50
    assert len(set(repeats)) == 10
    for repeat in repeats:
        place = order.index(repeat)
        first = order.index(Reading(repeat.case))
        assert place > first
        assert place - first > 12


def test_more_repeats_than_cases_repeat_every_case_once() -> None:
    assert len(reading_order(["a", "b"], "anna", 1, 9)) == 4
