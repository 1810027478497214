"""Regions in words: what a user types, and its meaning."""

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
from napari_segcam.explanation.targets.region_words import parse_region

TRUTH = np.eye(4, dtype=bool)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("mask", "mask"),
        ("image", "image"),
        ("component", Component()),
        ("component:7,3", Component((3, 7))),
        ("at:7,3", At(row=3, column=7)),
        ("at:7,3,9", At(row=3, column=7, radius=9)),
        ("box:10,20,30,40", Box(top=20, left=10, bottom=40, right=30)),
        ("polygon:1,2, 30,4, 5,60", Polygon(((2, 1), (4, 30), (60, 5)))),
        ("boundary", Boundary()),
        ("boundary:5", Boundary(5)),
        ("rim", Boundary()),  # its earlier name
        ("rim:5", Boundary(5)),
        ("7,3", Pixel(row=3, column=7)),
        ("10, 20, 30, 40", Box(top=20, left=10, bottom=40, right=30)),
    ],
)
def test_words_for_regions(text: str, region: Any) -> None:
    assert parse_region(text) == region


def test_errors_of_the_mask_need_the_truth() -> None:
    for word, kind in (("false-positive", FalsePositive), ("false-negative", FalseNegative)):
        region = parse_region(word, TRUTH)
        assert isinstance(region, kind)
        assert region.truth is TRUTH
        with pytest.raises(SegcamError, match=f"{word} needs the true mask: give it with --truth"):
            parse_region(word)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lesion",
        "mask:3",
        "component:3",
        "rim:a",
        "1",
        "1,2,3",
        "-1,2",
        "1.5,2",
        "9,9,3,3",
        ":3,4",
        "at:3",
        "box:9,9,3,3",
        "polygon:1,2,3,4",
        "polygon:1,2,3,4,5,6,7",
    ],
)
def test_anything_else_is_refused_with_a_list_of_forms(text: str) -> None:
    with pytest.raises(SegcamError, match=r"is not understood: give mask, image, component, .* false-negative\."):
        parse_region(text)
