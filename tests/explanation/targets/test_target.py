"""Targets define what is explained, and refuse invalid choices."""

from __future__ import annotations

import numpy as np
import pytest

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.targets.region import Box, Component, Painted
from napari_segcam.explanation.targets.target import Target

MASK = np.array([[True, True, False], [False, False, False]])


def test_regions_in_words() -> None:
    np.testing.assert_array_equal(Target(region="mask").pixels(MASK), MASK)
    assert Target(region="image").pixels(MASK).all()


def test_a_drawn_region_is_where_it_is_not_zero() -> None:
    labels = np.array([[0, 1, 2], [0, 0, 3]], dtype=np.uint8)
    drawn = Target(region=labels).pixels(MASK)  # type: ignore[arg-type]
    assert drawn.dtype == bool
    assert drawn.tolist() == [[False, True, True], [False, False, True]]


def test_a_drawn_region_is_frozen() -> None:
    drawing = np.ones((2, 3), dtype=bool)
    target = Target(region=drawing)
    drawing[:] = False
    assert target.pixels(MASK).all()


def test_a_rule_gets_the_predicted_mask() -> None:
    assert Target(region=Box(1, 0, 2, 3)).pixels(MASK).tolist() == [[False] * 3, [True] * 3]


def test_errors_are_described_in_words() -> None:
    with pytest.raises(SegcamError, match=r"no region 'masks'\. Choose 'mask', 'image'"):
        Target(region="masks")  # type: ignore[arg-type]
    with pytest.raises(SegcamError, match=r"\(Y, X\) array, but this one has the shape \(2, 3, 4\)"):
        Target(region=np.ones((2, 3, 4), dtype=bool))
    with pytest.raises(SegcamError, match=r"region has the shape \(3, 2\), but the frame has \(2, 3\)"):
        Target(region=np.ones((3, 2), dtype=bool)).pixels(MASK)
    with pytest.raises(SegcamError, match="no score 'odds'"):
        Target(score="odds")  # type: ignore[arg-type]


def test_as_dict_has_plain_values() -> None:
    words = {"class_index": 1, "region": "image", "score": "sum of logits over the region"}
    assert Target(1, "image").as_dict() == words
    assert Target(1, np.ones((2, 3), dtype=bool)).as_dict() == words | {"region": "drawn"}
    assert Target(1, Painted(np.ones((2, 3)))).as_dict() == words | {"region": "drawn"}
    assert Target(1, Component((2, 3))).as_dict() == words | {"region": "Component at=(2, 3)"}
    assert Target(score="probability").as_dict()["score"] == "sum of probabilities over the region"
