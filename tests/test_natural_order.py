"""The natural order of names: one for the frames of a folder, the images of a batch and the pages of a report."""

from __future__ import annotations

import random

import pytest

from napari_segcam.files import natural_key


@pytest.mark.parametrize(
    "names",
    [
        ["frame2.png", "frame10.png", "frame100.png"],
        ["Case_1.png", "case_2.png", "CASE_10.png"],
        ["a/9.png", "a/10.png", "b/1.png"],
        ["a01.png", "a1b.png"],
        ["1.png", "2.png", "a.png"],
        ["", "0", "00", "1"],
        ["1.2.9", "1.2.10", "1.10.1"],
        ["7" * 5000, "7" * 5001],
    ],
)
def test_numbers_count_and_case_does_not(names: list[str]) -> None:
    shuffled = random.Random(0).sample(names, len(names))
    assert sorted(shuffled, key=natural_key) == names


def test_names_that_differ_by_case_or_zeros_only_keep_one_order() -> None:
    names = ["Frame1", "FRAME1", "frame1", "frame01"]
    orders = {tuple(sorted(random.Random(seed).sample(names, 4), key=natural_key)) for seed in range(30)}
    assert orders == {("FRAME1", "Frame1", "frame01", "frame1")}
