from __future__ import annotations

import numpy as np
import pytest
from napari.components import Dims, ViewerModel
from napari.layers import Image

from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing

FRAME_NUMBERS = np.arange(6, dtype=np.float32)[:, None, None] * np.ones((1, 4, 5), np.float32)


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((6, 4, 5)))
    return viewer


def add_layer(viewer: ViewerModel, **state: object) -> Image:
    layer = Image(FRAME_NUMBERS, **state)
    defer_slicing(layer)
    viewer.add_layer(layer)
    return layer


def drawn_value(layer: Image) -> float:
    """Return the value that the layer draws."""
    (value,) = np.unique(layer._slice.image.view)
    return float(value)


def test_a_hidden_layer_waits_and_shows_the_frame_in_view_when_it_is_shown(viewer: ViewerModel) -> None:
    layer = add_layer(viewer, visible=False)
    before = layer._slicing_state._slice_input
    viewer.dims.set_current_step(0, 2)
    viewer.dims.set_current_step(0, 4)
    assert layer._slicing_state._slice_input is before
    layer.visible = True
    assert drawn_value(layer) == 4


def test_a_visible_layer_follows(viewer: ViewerModel) -> None:
    layer = add_layer(viewer)
    viewer.dims.set_current_step(0, 3)
    assert drawn_value(layer) == 3
    layer.visible = False
    viewer.dims.set_current_step(0, 1)
    layer.visible = True
    assert drawn_value(layer) == 1


def test_a_hidden_layer_keeps_up_with_new_axes(viewer: ViewerModel) -> None:
    layer = add_layer(viewer, visible=False)
    viewer.add_image(np.zeros((2, 6, 4, 5)))
    viewer.dims.set_current_step((0, 1), (1, 5))
    viewer.dims.order = (1, 0, 2, 3)
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    viewer.dims.order = (0, 1, 2, 3)
    layer.visible = True
    assert drawn_value(layer) == 5


def test_a_layer_that_moves_to_another_viewer_follows_that_one(viewer: ViewerModel) -> None:
    layer = add_layer(viewer, visible=False)
    viewer.layers.remove(layer)
    other = ViewerModel()
    other.add_layer(layer)
    viewer.dims.set_current_step(0, 1)
    other.dims.set_current_step(0, 2)
    layer.visible = True
    assert drawn_value(layer) == 2


def test_a_layer_is_sliced_once_for_each_position(viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    sliced: list[tuple[Image, float]] = []

    def record(layer: Image, dims: Dims, force: bool = False) -> None:
        assert not force
        sliced.append((layer, dims.point[0]))

    monkeypatch.setattr(Image, "_slice_dims", record)
    layer = add_layer(viewer)
    sliced.clear()
    for frame in (3, 3, 4, 3):
        viewer.dims.set_current_step(0, frame)
    assert [position for sliced_layer, position in sliced if sliced_layer is layer] == [3, 4, 3]


def test_a_hidden_layer_follows_the_camera_when_it_is_shown(viewer: ViewerModel) -> None:
    layer = add_layer(viewer, visible=False)
    view = {"scale_factor": 0.5, "corner_pixels_displayed": np.array([[1, 1], [2, 3]]), "shape_threshold": (8, 8)}
    before = layer.corner_pixels.copy()
    layer._update_draw(**view)
    np.testing.assert_array_equal(layer.corner_pixels, before)
    layer.visible = True
    layer._update_draw(**view)
    np.testing.assert_array_equal(layer.corner_pixels[:, 1:], [[1, 1], [2, 3]])
