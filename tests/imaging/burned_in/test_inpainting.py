"""Inpainting continues what is around a mask, and calipers are drawn where the user says."""

from __future__ import annotations

import numpy as np
import pytest
from planted_network import soft_speckle

import napari_segcam as sc


def test_a_slope_is_continued_and_other_pixels_stay() -> None:
    rows, columns = np.indices((40, 50))
    frame = (2 * rows + 3 * columns).astype(np.uint8)
    mask = np.zeros(frame.shape, bool)
    mask[10:16, 20:24] = mask[30, 5:40] = True
    damaged = frame.copy()
    damaged[mask] = 255
    filled = sc.inpaint(damaged, mask, grow=0)
    assert filled.dtype == np.uint8
    assert np.abs(filled[mask].astype(int) - frame[mask]).max() <= 2
    assert (filled[~mask] == damaged[~mask]).all()
    assert (damaged[mask] == 255).all()  # the frame itself is not written to


def test_calipers_are_taken_away_almost_without_a_trace() -> None:
    frame = soft_speckle()
    marked = sc.paste_calipers(frame, [(150, 60), (170, 200)], line=True, label="1")
    filled = sc.inpaint(marked, sc.find_graphics(marked).mask)
    changed = marked != frame
    remaining = np.abs(filled[changed].astype(int) - frame[changed]).mean()
    assert remaining < 0.2 * np.abs(marked[changed].astype(int) - frame[changed]).mean()


def test_colors_and_numbers_that_are_not_finite() -> None:
    frame = np.stack([soft_speckle()] * 3, 2)
    frame[..., 2] //= 2
    mask = np.zeros(frame.shape[:2], bool)
    mask[100:104, 100:104] = True
    filled = sc.inpaint(frame, mask)
    assert np.abs(filled[mask][:, 0] / 2 - filled[mask][:, 2]).mean() < 10
    deep = soft_speckle().astype(np.float32)
    deep[98:106, 98] = np.nan
    assert np.isfinite(sc.inpaint(deep, mask)[mask]).all()


def test_a_large_part_is_filled_within_the_values_around_it() -> None:
    frame = np.full((300, 300), 80, np.uint16)
    frame[:, 150:] = 120
    mask = np.zeros(frame.shape, bool)
    mask[50:250, 50:250] = True
    filled = sc.inpaint(frame, mask)
    assert filled.min() == 80
    assert filled.max() == 120


def test_what_cannot_be_filled_is_refused() -> None:
    with pytest.raises(sc.SegcamError, match="covers the whole frame"):
        sc.inpaint(np.zeros((8, 8), np.uint8), np.ones((8, 8), bool))
    with pytest.raises(sc.SegcamError, match="the mask is 4×4"):
        sc.inpaint(np.zeros((8, 8), np.uint8), np.ones((4, 4), bool))
    frame = soft_speckle()
    assert (sc.inpaint(frame, np.zeros(frame.shape, bool)) == frame).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_calipers_are_white_where_they_are_set(dtype: type) -> None:
    frame = np.zeros((60, 80), dtype)
    marked = sc.paste_calipers(frame, [(20, 30), (40, 70)], size=9, value_range=(0, 200))
    assert marked.dtype == dtype
    assert not frame.any()
    assert (marked[20, 26:35] == 200).all()
    assert (marked[16:25, 30] == 200).all()
    assert marked[24, 34] == 0
    assert np.count_nonzero(marked) == 2 * 17
    cross = sc.paste_calipers(frame, [(20, 30)], "cross", size=9, value_range=(0, 200))
    assert cross[16, 26] == cross[24, 34] == cross[16, 34] == 200
    assert cross[20, 26] == 0


def test_a_line_of_dots_and_a_label() -> None:
    frame = np.zeros((60, 120, 3), np.uint8)
    line = sc.paste_calipers(frame, [(30, 20), (30, 80)], size=9, line=True)
    dots = np.flatnonzero(line[30, 26:75, 0])
    assert set(np.diff(dots)) == {5}
    label = sc.paste_calipers(frame, [(30, 20)], size=9, label="1")
    assert label[20:40, 26:36].any()


def test_wrong_calipers_are_refused() -> None:
    frame = np.zeros((60, 80), np.uint8)
    with pytest.raises(sc.SegcamError, match=r"The point \(70, 5\) is not within the frame"):
        sc.paste_calipers(frame, [(70, 5)])
    with pytest.raises(sc.SegcamError, match="no style 'star'"):
        sc.paste_calipers(frame, [(7, 5)], "star")  # type: ignore[arg-type]
    with pytest.raises(sc.SegcamError, match="pairs of a row and a column"):
        sc.paste_calipers(frame, [])
