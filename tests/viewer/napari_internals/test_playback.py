from __future__ import annotations

import numpy as np
import pytest
from napari import Viewer
from napari.components import ViewerModel
from napari.settings import get_settings

from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.viewer.napari_internals.playback import play_at
from napari_segcam.viewer.reader import layer_data

FRAMES = np.zeros((4, 12, 20), np.uint8)


def shown_in(viewer, frames=FRAMES, frame_rate=33.3):
    data, meta, _ = layer_data(ArrayCine(frames, frame_rate=frame_rate))
    return viewer.add_image(data, **meta)


@pytest.fixture
def viewers(qtbot):  # noqa: ARG001 -- keeps a Qt application
    made = [Viewer(show=False), Viewer(show=False)]
    yield made
    for viewer in made:
        viewer.close()


def slider(viewer, axis=0):
    return viewer.window._qt_viewer.dims.slider_widgets[axis]


def test_the_frame_rate_counts_in_this_viewer_only(viewers):
    viewer, other = viewers
    usual = get_settings().application.playback_fps
    layer = shown_in(viewer)
    shown_in(other)
    play_at(viewer, layer)
    assert slider(viewer).fps == pytest.approx(33.3)
    assert slider(viewer).play_button.fpsspin.value() == pytest.approx(33.3)
    assert slider(other).fps == usual
    assert get_settings().application.playback_fps == usual

    slider(viewer).fps = -10  # the user has turned it round
    play_at(viewer, layer)
    assert slider(viewer).fps == pytest.approx(-33.3)


def test_it_is_the_slider_of_the_frames(viewers):
    viewer = viewers[0]
    viewer.add_image(np.zeros((2, 4, 12, 20), np.uint8))
    usual = slider(viewer).fps
    play_at(viewer, shown_in(viewer, frame_rate=50.0))
    assert (slider(viewer, 0).fps, slider(viewer, 1).fps) == (usual, 50)


def test_nothing_happens_without_a_frame_rate_frames_or_a_window(viewers):
    viewer = viewers[0]
    usual = slider(viewer).fps
    for layer in (shown_in(viewer, frame_rate=None), shown_in(viewer, frames=FRAMES[0]), viewer.add_image(FRAMES)):
        play_at(viewer, layer)
        assert slider(viewer).fps == usual

    bare = ViewerModel()
    play_at(bare, shown_in(bare))
