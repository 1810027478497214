from __future__ import annotations

from collections.abc import Callable

import numpy as np
from napari import Viewer
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from vispy.gloo import Texture2D

from napari_segcam.viewer.economy.canvas_letters import keep_filter_on_the_card
from napari_segcam.viewer.session import ReviewSession


def drawn(viewer: Viewer) -> np.ndarray:
    return viewer.screenshot(flash=False)


def test_words_look_the_same_and_their_filter_is_sent_once(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot
) -> None:
    viewer = make_napari_viewer(show=True)
    words = viewer.canvas.overlays.text
    words.text = "heat scaled to the clip 0.5"
    words.visible = True
    qtbot.wait(200)  # until the window has found its size
    before = drawn(viewer)
    keep_filter_on_the_card(viewer)
    words.text = "other words"
    assert (drawn(viewer) != before).any()
    words.text = "heat scaled to the clip 0.5"
    np.testing.assert_array_equal(drawn(viewer), before)
    fonts = viewer.window._qt_viewer.canvas._font_info.font_manager._fonts
    assert fonts
    assert all(isinstance(font._kernel, Texture2D) for font in fonts.values())


def test_a_viewer_without_a_window_is_left_alone() -> None:
    viewer = ViewerModel()
    keep_filter_on_the_card(viewer)
    assert ReviewSession.of(viewer).viewer is viewer
