"""What the window says is what it draws, whatever has changed that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from pytestqt.qtbot import QtBot

from napari_segcam.explanation.targets.region import Boundary
from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.keys import KEYS, ReviewKeys
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.workspace import PLUGIN

Finish = Callable[[ReviewSession], None]
STAGES = ("encoder_4", "encoder_5")


@pytest.fixture
def explained(session: ReviewSession, network: Network, frames: np.ndarray, finish: Finish) -> ReviewSession:
    """A session whose whole cine is explained, its second frame in view; the fourth has hardly any contrast."""
    frames[3] = 120 + frames[3] // 64
    session.viewer.add_image(frames, name="sweep")
    session.viewer.dims.set_current_step(0, 1)
    session.use(network)
    session.run(RunRequest(stages=STAGES, region="image"), "all")
    finish(session)
    return session


def heat_of(session: ReviewSession, stage: str = "encoder_5") -> Image:
    layers = session.layers()
    assert layers is not None
    return layers.heatmaps[stage]


def words(session: ReviewSession) -> tuple[str, str]:
    """What stands on the canvas, which must be what the view says."""
    overlays = session.viewer.canvas.overlays
    of_frame, of_scale = overlays["segcam_status"], overlays["segcam_scale"]
    said = (of_frame.text if of_frame.opacity else "", of_scale.text if of_scale.visible else "")
    assert said == (session.view.of_frame, session.view.of_scale)
    return said[0].replace("\n", " "), said[1]


def test_the_scales_words_follow_the_scale(explained: ReviewSession) -> None:
    layers = explained.layers()
    assert layers is not None
    assert words(explained)[1] == "heat scaled to the clip"
    layers.set_scale("frame")
    assert words(explained)[1] == "heat scaled to this frame"
    layers.set_scale("clip")
    assert words(explained)[1] == "heat scaled to the clip"


@pytest.mark.parametrize("hide", ["visible", "opacity", "removed"])
def test_no_heat_no_words_and_no_bar(explained: ReviewSession, hide: str) -> None:
    layer = heat_of(explained)
    assert layer.colorbar.visible
    if hide == "visible":
        layer.visible = False
    elif hide == "opacity":
        layer.opacity = 0
    else:
        explained.viewer.layers.remove(layer)
    assert words(explained)[1] == ""
    assert "heat explains" not in words(explained)[0]
    assert hide == "removed" or not layer.colorbar.visible


def test_limits_that_the_user_has_set_stay_and_are_said(explained: ReviewSession) -> None:
    layer, layers = heat_of(explained), explained.layers()
    assert layers is not None
    limits = [0, layer.contrast_limits[1] / 2]
    layer.contrast_limits = limits
    assert words(explained)[1] == "heat scaled by hand"
    explained.go_to(2)
    assert list(layer.contrast_limits) == limits
    assert words(explained)[1] == "heat scaled by hand"
    heat_of(explained, "encoder_4").visible = True
    assert words(explained)[1] == "heat scaled to the clip, encoder_5 by hand"
    layers.set_scale("clip")
    assert words(explained)[1] == "heat scaled to the clip"
    assert layer.contrast_limits[1] > limits[1]


@pytest.mark.parametrize("turned", ["order", "volume"])
def test_of_a_plane_across_frames_nothing_is_said_of_a_frame(explained: ReviewSession, turned: str) -> None:
    layers = explained.layers()
    assert layers is not None
    layers.set_scale("frame")
    before = words(explained)
    assert before[0]
    if turned == "order":
        explained.viewer.dims.order = (1, 0, 2)
    else:
        explained.viewer.dims.ndisplay = 3
    assert words(explained) == ("", "heat scaled to frame 1")
    explained.viewer.dims.order, explained.viewer.dims.ndisplay = (0, 1, 2), 2
    assert words(explained) == before
    explained.viewer.dims.order = (0, 2, 1)  # transposed, but still a frame
    assert words(explained) == before


def test_a_frame_that_hardly_reaches_the_clips_scale_is_said(explained: ReviewSession) -> None:
    layer, layers = heat_of(explained), explained.layers()
    assert layers is not None
    peaks = np.array([np.max(layer.data[frame]) for frame in range(4)])
    shares = peaks / peaks.max()
    weak, strong = int(shares.argmin()), int(shares.argmax())
    assert shares[weak] < 0.25
    explained.go_to(strong)
    assert "reaches" not in words(explained)[0]
    explained.go_to(weak)
    percent = f"{shares[weak]:.0%}"[:-1] + " %" if shares[weak] >= 0.01 else "less than 1 %"
    assert f"this frame reaches {percent} of the clip's scale" in words(explained)[0]
    assert explained.view.is_weak
    layers.set_scale("frame")
    assert "reaches" not in words(explained)[0]
    assert not explained.view.is_weak


def test_what_is_explained_is_said_where_it_is_not_what_is_outlined(
    explained: ReviewSession, finish: Finish, qtbot: QtBot
) -> None:
    assert "heat explains the whole frame" in words(explained)[0]
    explained.run(RunRequest(stages=STAGES), "all")
    finish(explained)
    assert "heat explains" not in words(explained)[0]
    explained.set_threshold(0.6)
    qtbot.waitUntil(lambda: "heat explains the mask predicted above 0.50" in words(explained)[0], timeout=10_000)
    explained.set_threshold(0.5)
    qtbot.waitUntil(lambda: "heat explains" not in words(explained)[0], timeout=10_000)
    explained.run(RunRequest(stages=STAGES, region=Boundary()), "all")
    finish(explained)
    assert "heat explains the boundary of the mask predicted above 0.50" in words(explained)[0]


def test_of_several_classes_that_are_outlined_the_explained_one_is_said(
    session: ReviewSession, three_classes: Network, frames: np.ndarray, finish: Finish
) -> None:
    session.viewer.add_image(frames)
    session.viewer.dims.set_current_step(0, 1)
    session.use(three_classes)
    session.run(RunRequest(stages=STAGES, class_index=2), "all")
    finish(session)
    layers = session.layers()
    assert layers is not None
    name = three_classes.class_names[2]
    assert f"heat explains {name}, the predicted mask" in words(session)[0]
    layers.masks.show_only(2)
    assert "heat explains" not in words(session)[0]


def test_a_bar_that_the_user_has_taken_away_stays_away(explained: ReviewSession) -> None:
    layer = heat_of(explained)
    layer.colorbar.visible = False
    explained.go_to(2)
    layer.opacity = 0.5
    assert not layer.colorbar.visible


def test_one_click_or_key_scales_a_weak_frame_and_every_widget_says_so(
    make_napari_viewer_proxy: Callable[[], Any], network: Network, frames: np.ndarray, finish: Finish
) -> None:
    frames[3] = 120 + frames[3] // 64
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Grad-CAM")
    session: ReviewSession = widget.session
    viewer.add_image(frames, name="sweep")
    viewer.dims.set_current_step(0, 0)
    session.use(network)
    session.run(RunRequest(stages=STAGES, region="image"), "all")
    finish(session)
    assert not widget.rescale.isVisibleTo(widget)
    session.go_to(3)
    assert widget.rescale.isVisibleTo(widget)
    widget.rescale.click()
    assert widget.scale.value == "frame"
    assert not widget.rescale.isVisibleTo(widget)
    assert words(session)[1] == "heat scaled to this frame"
    layer = heat_of(session)
    assert layer.contrast_limits[1] == pytest.approx(np.max(layer.data[3]))
    (key,) = (key for key in KEYS if key.key == "W")
    key.press(ReviewKeys(session))
    assert widget.scale.value == "clip"
    assert "W: scale to the frame" in words(session)[0]
    second = viewer.add_image(frames[:, ::-1], name="second")
    key.press(ReviewKeys(session))
    session.choose_image(session.choices.images()[-1])
    session.run(RunRequest(stages=STAGES, region="image"), "all")
    finish(session)
    assert words(session)[1] == "heat scaled to this frame"
    assert second is not None


def test_the_segmentation_widget_tells_of_the_image_that_is_chosen(
    make_napari_viewer_proxy: Callable[[], Any],
    network: Network,
    frames: np.ndarray,
    finish: Finish,
    qtbot: QtBot,
    messages: list[str],
) -> None:
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Segmentation")
    session: ReviewSession = widget.session
    viewer.add_image(frames, name="first")
    viewer.add_shapes([np.array([[8, 16], [8, 63], [55, 63], [55, 16]])], shape_type="rectangle", name="around")
    session.use(network)
    widget.input_region.setCurrentIndex(widget.input_region.findText("Drawn in around"))
    widget.input_region.chosen.emit(widget.input_region.value)
    finish(session)
    assert widget.input_region.currentText() == "Drawn in around"
    viewer.add_image(frames[:, ::-1], name="second")
    session.choose_image(next(image for image in session.choices.images() if image.name == "second"))
    qtbot.waitUntil(lambda: widget.input_region.currentText() == "Whole image", timeout=2000)
    viewer.add_shapes(name="nothing drawn", ndim=2)
    widget.input_region.setCurrentIndex(widget.input_region.findText("Drawn in nothing drawn"))
    widget.input_region.chosen.emit(widget.input_region.value)
    assert any("Nothing is drawn in nothing drawn" in message for message in messages)
    qtbot.waitUntil(lambda: widget.input_region.currentText() == "Whole image", timeout=2000)
    widget.input_region.setCurrentIndex(widget.input_region.findText("Scan only"))
    widget.input_region.chosen.emit(widget.input_region.value)
    finish(session)
    assert widget.input_region.currentText() == "Scan only"
    session.choose_image(next(image for image in session.choices.images() if image.name == "first"))
    qtbot.waitUntil(lambda: widget.input_region.currentText() == "Drawn in around", timeout=2000)
