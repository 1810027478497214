"""The image that a function is given."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image, Labels, Points

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.viewer.functions.given_image import given_image
from napari_segcam.viewer.layers.placement import OURS


def test_layer_array_dask_list_and_cine_give_the_same_frames(frames: np.ndarray) -> None:
    forms = (
        Image(frames),
        frames,
        da.from_array(frames, chunks=(1, -1, -1)),
        list(frames),
        tuple(da.from_array(frame) for frame in frames),
        ArrayCine(frames),
    )
    for form in forms:
        given = given_image(form)
        assert given.has_frames
        np.testing.assert_array_equal(np.stack(list(given.cine)), frames)


def test_a_dask_array_is_read_frame_by_frame(frames: np.ndarray) -> None:
    read: list[int] = []

    def block(block_id: tuple[int, ...]) -> np.ndarray:
        read.append(block_id[0])
        return frames[block_id[0]][None]

    lazy = da.map_blocks(block, chunks=((1,) * 4, (96,), (64,)), dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
    read.clear()
    given = given_image(lazy)
    np.testing.assert_array_equal(given.cine[2], frames[2])
    assert read == [2]


def test_nested_numbers_are_a_still() -> None:
    given = given_image([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    assert not given.has_frames
    np.testing.assert_array_equal(given.cine[0], [[0, 1], [2, 3], [4, 5]])


def test_a_color_still_is_no_cine_and_a_cine_of_one_frame_is_one() -> None:
    color = np.zeros((40, 50, 4), np.uint8)
    given = given_image(color)
    assert (given.has_frames, given.cine.frame_shape) == (False, (40, 50, 3))
    assert given_image(color[None]).has_frames
    assert given_image(Image(np.zeros((1, 40, 50), np.uint8))).has_frames


def test_a_layer_knows_better_than_the_shape_whether_there_are_colors() -> None:
    given = given_image(Image(np.zeros((5, 40, 3), np.uint8), rgb=False))
    assert (given.has_frames, given.cine.frame_shape) == (True, (40, 3))


def test_a_file_is_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.zeros((3, 40, 50), np.uint8))
    given = given_image(tmp_path / "clip.npy")
    assert (given.name, given.has_frames, len(given.cine)) == ("clip", True, 3)


PYRAMID = [np.zeros((64, 64)), np.zeros((32, 32))]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (None, "There is no image"),
        (Labels(np.zeros((5, 5), np.uint8), name="mask"), "mask is a Labels layer: choose the Image layer"),
        (Points(np.zeros((1, 2)), name="dots"), "dots is a Points layer"),
        (Image(np.zeros((5, 5)), name="heat", metadata={OURS: {}}), "heat is a result of this plugin"),
        (Image(PYRAMID, multiscale=True, name="big"), "big has several resolutions"),
        (Image(np.zeros((2, 2, 5, 5)), name="4D"), "4D has 4 dimensions"),
        (np.zeros((2, 2, 5, 5)), "An image must be"),
        (np.zeros(5), "An image must be"),
        (np.zeros((4, 4), complex), "must be real numbers"),
        ([np.zeros((4, 4)), np.zeros((4, 5))], r"these have \(4, 4\), \(4, 5\)"),
        (PYRAMID, "these have"),
        ([[1, 2], [3]], "This is no image"),
        (["a.png", "b.png"], "one image at a time"),
        ([Image(np.zeros((5, 5)))], "one image at a time"),
        (object(), "A object is no image"),
        ("missing.png", "missing.png"),
    ],
)
def test_what_is_no_image_is_refused_in_words(image: object, words: str) -> None:
    with pytest.raises(SegcamError, match=words):
        given_image(image)
