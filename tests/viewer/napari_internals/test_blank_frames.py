from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari import Viewer
from napari.layers import Image, Labels

from napari_segcam.viewer.napari_internals.blank_frames import skip_blank_frames


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer]) -> Viewer:
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((3, 20, 30)))
    return viewer


def add_layer(viewer: Viewer, layer: Any, is_blank: Callable[[np.ndarray], bool]) -> Any:
    skip_blank_frames(layer, is_blank)
    viewer.add_layer(layer)
    viewer.dims.set_current_step(0, 0)
    return layer


def heat(viewer: Viewer) -> Image:
    """Add a heatmap that is blank except in the middle frame."""
    values = np.full((3, 5, 6), np.nan, np.float32)
    values[1] = np.arange(30).reshape(5, 6)
    return add_layer(viewer, Image(values), lambda values: bool(np.isnan(values).all()))


def mask(viewer: Viewer) -> Labels:
    labels = np.zeros((3, 20, 30), np.uint8)
    labels[1, 5:9, 10:20] = 1
    return add_layer(viewer, Labels(labels), lambda labels: not labels.any())


def is_drawn(viewer: Viewer, layer: Image | Labels) -> bool:
    return bool(viewer.window._qt_viewer.canvas.layer_to_visual[layer].node.visible)


@pytest.mark.parametrize("make", [heat, mask])
def test_a_blank_frame_is_not_drawn_and_has_a_black_thumbnail(
    viewer: Viewer, make: Callable[[Viewer], Image | Labels]
) -> None:
    layer = make(viewer)
    frames = []
    for frame in (0, 1, 2):
        viewer.dims.set_current_step(0, frame)
        frames.append((is_drawn(viewer, layer), bool(layer.thumbnail[..., :3].any())))
    assert frames == [(False, False), (True, True), (False, False)]


def test_values_that_arrive_for_the_frame_in_view_are_drawn(viewer: Viewer) -> None:
    layer = heat(viewer)
    layer.data[0] = 1
    layer.refresh(extent=False, thumbnail=False)
    assert is_drawn(viewer, layer)


def test_a_layer_that_is_hidden_and_shown_again_is_drawn(viewer: Viewer) -> None:
    layer = heat(viewer)
    layer.visible = False
    viewer.dims.set_current_step(0, 1)
    assert not is_drawn(viewer, layer)
    layer.visible = True
    assert is_drawn(viewer, layer)


@pytest.mark.parametrize("contour", [0, 2])
def test_a_stroke_on_a_blank_frame_is_drawn_at_once_and_can_be_undone(viewer: Viewer, contour: int) -> None:
    layer = mask(viewer)
    layer.contour = contour
    layer.brush_size = 7
    layer.paint((0, 10, 10), 1)
    assert is_drawn(viewer, layer)
    assert layer._slice.image.view.any()
    layer.undo()
    assert not layer.data[0].any()
    assert not is_drawn(viewer, layer)
    layer.redo()
    assert is_drawn(viewer, layer)
