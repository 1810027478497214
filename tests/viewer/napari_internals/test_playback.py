from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari import Viewer
from napari.components import ViewerModel
from napari.layers import Image
from napari.settings import get_settings
from pytestqt.qtbot import QtBot

from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.viewer.layers.cine_layer_data import layer_data
from napari_segcam.viewer.napari_internals.playback import play_at

FRAMES = np.zeros((4, 12, 20), np.uint8)


def add_cine(viewer: Any, frames: np.ndarray = FRAMES, frame_rate: float | None = 33.3) -> Image:
    data, meta, _ = layer_data(ArrayCine(frames, frame_rate=frame_rate))
    return viewer.add_image(data, **meta)


@pytest.fixture
def viewers(qtbot: QtBot) -> Iterator[list[Viewer]]:  # noqa: ARG001 -- keeps a Qt application
    viewers = [Viewer(show=False), Viewer(show=False)]
    yield viewers
    for viewer in viewers:
        viewer.close()


def slider(viewer: Viewer, axis: int = 0) -> Any:
    return viewer.window._qt_viewer.dims.slider_widgets[axis]


def test_the_frame_rate_counts_in_this_viewer_only(viewers: list[Viewer]) -> None:
    viewer, other = viewers
    default = get_settings().application.playback_fps
    layer = add_cine(viewer)
    add_cine(other)
    play_at(viewer, layer)
    assert slider(viewer).fps == pytest.approx(33.3)
    assert slider(viewer).play_button.fpsspin.value() == pytest.approx(33.3)
    assert slider(other).fps == default
    assert get_settings().application.playback_fps == default

    slider(viewer).fps = -10  # the user has reversed it
    play_at(viewer, layer)
    assert slider(viewer).fps == pytest.approx(-33.3)


def test_it_is_the_slider_of_the_frames(viewers: list[Viewer]) -> None:
    viewer = viewers[0]
    viewer.add_image(np.zeros((2, 4, 12, 20), np.uint8))
    default = slider(viewer).fps
    play_at(viewer, add_cine(viewer, frame_rate=50.0))
    assert (slider(viewer, 0).fps, slider(viewer, 1).fps) == (default, 50)


def test_nothing_happens_without_a_frame_rate_frames_or_a_window(viewers: list[Viewer]) -> None:
    viewer = viewers[0]
    default = slider(viewer).fps
    for layer in (add_cine(viewer, frame_rate=None), add_cine(viewer, frames=FRAMES[0]), viewer.add_image(FRAMES)):
        play_at(viewer, layer)
        assert slider(viewer).fps == default

    windowless = ViewerModel()
    play_at(windowless, add_cine(windowless))
