"""The results within a memory budget, and the arrays and masks that show them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_segcam.mask_metrics.overlap import overlap
from napari_segcam.viewer.frames.result_store import ResultStore
from napari_segcam.viewer.frames.sparse_mask import SparseMask, dice
from napari_segcam.viewer.layers.frame_stack import FrameStack


def test_results_are_returned_and_their_bytes_counted() -> None:
    store = ResultStore(100)
    store.put("a", 1, "one", 30)
    store.put("a", 1, "uno", 20)
    store.put("b", 1, "two", 5)
    assert store.get("a", 1) == "uno"
    assert store.get("a", 2) is None
    assert store.get("c", 1) is None
    assert store.used_bytes == 25
    store.drop("a", 1)
    store.drop("a", 1)
    assert store.used_bytes == 5
    store.drop_all("b")
    assert store.used_bytes == 0


def test_the_farthest_frames_are_dropped_first_and_the_nearest_is_kept() -> None:
    store = ResultStore(25)
    for frame in range(5):
        store.put("key", frame, frame, 10)
    assert store.shrink(["key"], np.array([4.0, 0, 1, 2, 3])) == [0, 4, 3]
    assert sorted(store.frames("key")) == [1, 2]
    store.budget = 0
    assert store.shrink(["key"], np.array([4.0, 0, 1, 2, 3])) == [2]
    assert store.frames("key") == [1]


def test_results_of_other_settings_are_dropped_first() -> None:
    store = ResultStore(20)
    store.put("old", 0, "old", 10)
    store.put("older", 0, "older", 10)
    store.put("now", 0, "now", 10)
    assert store.shrink(["now"], np.zeros(1)) == []
    assert list(store) == ["older", "now"]


def test_reserved_bytes_count_toward_the_budget() -> None:
    store = ResultStore(30)
    for frame in range(3):
        store.put("key", frame, frame, 10)
    assert store.shrink(["key"], np.arange(3.0), reserved_bytes=15) == [2, 1]


@pytest.mark.parametrize(
    "key",
    [
        *(0, -1, (2,), (1, slice(None), slice(None)), (1, slice(1, 3), 2), slice(1, 3), slice(0, 0), ...),
        *((slice(None), 0, slice(None)), (..., 0), (np.int64(1), ...)),
        (slice(0, 2), slice(1, 3), slice(None, None, -1)),
    ],
)
def test_a_frame_stack_is_indexed_like_an_array(key: object) -> None:
    values = np.random.default_rng(0).random((3, 4, 5), dtype=np.float32)
    values[1] = np.nan
    stack = FrameStack(lambda frame: None if frame == 1 else values[frame], (3, 4, 5))
    np.testing.assert_array_equal(stack[key], values[key])
    assert stack[key].shape == values[key].shape
    np.testing.assert_array_equal(np.asarray(stack), values)
    assert (len(stack), stack.size, stack.ndim, stack.dtype) == (3, 60, 3, np.float32)


def test_a_frame_of_another_size_is_blank() -> None:
    stack = FrameStack(lambda _frame: np.zeros((1, 1), np.float32), (2, 3, 4))
    np.testing.assert_array_equal(stack[0], np.zeros((3, 4)))


def mask_of(seed: int) -> np.ndarray:
    """Return a random mask, from blank to a third full."""
    rng = np.random.default_rng(seed)
    return (rng.random((7, 9)) < rng.random() / 3).astype(np.uint8)


masks = st.integers(0, 2**32 - 1).map(mask_of)


@given(masks, masks)
def test_a_sparse_mask_equals_the_mask(mask: np.ndarray, other: np.ndarray) -> None:
    sparse = SparseMask.from_labels(mask)
    frame = np.zeros_like(mask)
    sparse.paint(frame)
    np.testing.assert_array_equal(frame, mask)
    assert sparse.is_in(mask)
    assert sparse.is_in(other) == bool((mask == other).all())
    sparse.erase(frame)
    assert not frame.any()
    assert dice(sparse, SparseMask.from_labels(other), 1) == overlap(mask == 1, other == 1).dice


def test_one_label_of_a_sparse_mask() -> None:
    mask = np.array([[0, 1, 2], [0, 2, 2]], np.uint8)
    frame = np.zeros_like(mask)
    SparseMask.from_labels(mask).only(2).paint(frame)
    np.testing.assert_array_equal(frame, np.where(mask == 2, 2, 0))
