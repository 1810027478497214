"""Targets say what is explained, and refuse what cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.target import Target


def test_regions_in_words_are_not_drawn() -> None:
    assert Target(region="mask").drawn_region((4, 5)) is None
    assert Target(region="image").drawn_region((4, 5)) is None


def test_a_drawn_region_is_where_it_is_not_zero() -> None:
    labels = np.array([[0, 1, 2], [0, 0, 3]], dtype=np.uint8)
    drawn = Target(region=labels).drawn_region((2, 3))  # type: ignore[arg-type]
    assert drawn is not None
    assert drawn.dtype == bool
    assert drawn.tolist() == [[False, True, True], [False, False, True]]


def test_a_drawn_region_is_frozen() -> None:
    drawing = np.ones((2, 3), dtype=bool)
    frozen = Target(region=drawing).drawn_region((2, 3))
    drawing[:] = False
    assert frozen is not None
    assert frozen.all()


def test_faults_are_named_in_words() -> None:
    with pytest.raises(SegcamError, match=r"no region 'masks'\. Choose 'mask', 'image'"):
        Target(region="masks")  # type: ignore[arg-type]
    with pytest.raises(SegcamError, match=r"\(Y, X\) array, but this one has the shape \(2, 3, 4\)"):
        Target(region=np.ones((2, 3, 4), dtype=bool))
    with pytest.raises(SegcamError, match=r"region has the shape \(2, 3\), but the frame has \(3, 2\)"):
        Target(region=np.ones((2, 3), dtype=bool)).drawn_region((3, 2))


def test_described_is_plain() -> None:
    words = {"class_index": 1, "region": "image", "score": "sum of logits over the region"}
    assert Target(1, "image").described() == words
    assert Target(1, np.ones((2, 3), dtype=bool)).described() == words | {"region": "drawn"}
