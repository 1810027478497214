"""A cine that is still coming: what the canvas shows of it, and what a computation is given."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine, Frame
from napari_segcam.viewer.frames.arriving_frames import ArrivingFrames, placeholder
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.layers.cine_layer_data import lazy_frames
from napari_segcam.viewer.review.requirements import missing_requirement


class _Coming(Cine):
    """A cine of four frames, of which only some have come."""

    def __init__(self, *shape: int, dtype: str = "uint8") -> None:
        self.name = "coming"
        self.frame_shape = shape
        self.dtype = np.dtype(dtype)
        self.here: set[int] = set()
        self.frames = np.random.default_rng(3).integers(30, 220, (4, *shape)).astype(dtype)

    def __len__(self) -> int:
        return 4

    def has(self, number: int) -> bool:
        return number in self.here

    def _read(self, index: int) -> Frame:
        if index not in self.here:
            raise SegcamError(f"Frame {index} has not come yet.")
        return self.frames[index]


@pytest.fixture(params=[(60, 90), (60, 90, 3)], ids=["gray", "color"])
def cine(request: pytest.FixtureRequest) -> _Coming:
    return _Coming(*request.param)


def arriving(cine: _Coming) -> ArrivingFrames:
    return ArrivingFrames(cine, cine.has, lazy_frames(cine))


def test_a_frame_is_shown_once_it_is_here_and_never_before(cine: _Coming) -> None:
    frames = arriving(cine)
    assert frames.shape == (4, *cine.frame_shape)
    assert not np.array_equal(frames[1], cine.frames[1])
    assert len(np.unique(frames[1])) > 2  # stripes and words, not an even area
    cine.here.add(1)
    np.testing.assert_array_equal(frames[1], cine.frames[1])
    np.testing.assert_array_equal(frames[1, 5:9, 7:30], cine.frames[1, 5:9, 7:30])
    np.testing.assert_array_equal(frames[0:2][1], cine.frames[1])
    assert np.asarray(frames).shape == frames.shape


def test_pictures_of_missing_frames_differ_by_their_number() -> None:
    one, two = (placeholder(80, 160, f"Frame {number} is still coming") for number in (1, 2))
    assert one.shape == (80, 160)
    assert not np.array_equal(one, two)
    assert one.min() >= 0
    assert one.max() <= 1


def test_a_computation_never_reads_the_picture_of_a_missing_frame(cine: _Coming) -> None:
    cine.here.add(2)
    image = Image(arriving(cine), rgb=len(cine.frame_shape) == 3, multiscale=False, name="coming")
    source = LayerSource.from_layer(image).cine
    np.testing.assert_array_equal(source[2], cine.frames[2])
    with pytest.raises(SegcamError, match="Frame 1 has not come"):
        source[1]
    assert "still coming" in str(missing_requirement(object(), image))  # type: ignore[arg-type]


def test_napari_shows_what_has_come_at_the_next_refresh(cine: _Coming) -> None:
    viewer = ViewerModel()
    image = Image(arriving(cine), rgb=len(cine.frame_shape) == 3, multiscale=False)
    viewer.add_layer(image)
    viewer.dims.set_current_step(0, 3)
    before = image._slice.image.raw.copy()
    cine.here.add(3)
    image.refresh()
    np.testing.assert_array_equal(image._slice.image.raw, cine.frames[3])
    assert not np.array_equal(before, cine.frames[3])


def test_pixels_of_16_bits_get_a_picture_between_black_and_white() -> None:
    cine = _Coming(60, 90, dtype="uint16")
    cine.set_value_range(100, 1100)
    missing = arriving(cine)[0]
    assert missing.dtype == np.uint16
    assert missing.min() >= 100
    assert missing.max() <= 1100
