"""The texts of the window match what it draws after every change."""

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
    """A session with all frames of a cine explained, the second in view; the fourth has hardly any contrast."""
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


def canvas_texts(session: ReviewSession) -> tuple[str, str]:
    """Return the texts on the canvas, after checking that they are those of the view."""
    overlays = session.viewer.canvas.overlays
    frame_overlay, scale_overlay = overlays["segcam_status"], overlays["segcam_scale"]
    texts = (frame_overlay.text if frame_overlay.opacity else "", scale_overlay.text if scale_overlay.visible else "")
    frame_text, scale_text = (text.replace("\n", " ") for text in texts)
    assert frame_text == session.view.of_frame.replace("\n", " ")
    assert scale_text == session.view.of_scale
    return frame_text, scale_text


def test_the_text_about_the_scale_follows_the_scale(explained: ReviewSession) -> None:
    layers = explained.layers()
    assert layers is not None
    assert canvas_texts(explained)[1] == "heat scaled to all frames"
    layers.set_scale("frame")
    assert canvas_texts(explained)[1] == "heat scaled to this frame"
    layers.set_scale("clip")
    assert canvas_texts(explained)[1] == "heat scaled to all frames"


@pytest.mark.parametrize("hide", ["visible", "opacity", "removed"])
def test_without_heat_there_is_no_text_and_no_color_bar(explained: ReviewSession, hide: str) -> None:
    layer = heat_of(explained)
    assert layer.colorbar.visible
    if hide == "visible":
        layer.visible = False
    elif hide == "opacity":
        layer.opacity = 0
    else:
        explained.viewer.layers.remove(layer)
    assert canvas_texts(explained)[1] == ""
    assert "heat explains" not in canvas_texts(explained)[0]
    assert hide == "removed" or not layer.colorbar.visible


def test_limits_set_by_hand_are_kept_and_named(explained: ReviewSession) -> None:
    layer, layers = heat_of(explained), explained.layers()
    assert layers is not None
    limits = [0, layer.contrast_limits[1] / 2]
    layer.contrast_limits = limits
    assert canvas_texts(explained)[1] == "heat scaled by hand"
    explained.go_to(2)
    assert list(layer.contrast_limits) == limits
    assert canvas_texts(explained)[1] == "heat scaled by hand"
    heat_of(explained, "encoder_4").visible = True
    assert canvas_texts(explained)[1] == "heat scaled to all frames, encoder_5 by hand"
    layers.set_scale("clip")
    assert canvas_texts(explained)[1] == "heat scaled to all frames"
    assert layer.contrast_limits[1] > limits[1]


@pytest.mark.parametrize("turned", ["order", "volume"])
def test_a_plane_across_frames_has_no_text_about_a_frame(explained: ReviewSession, turned: str) -> None:
    layers = explained.layers()
    assert layers is not None
    layers.set_scale("frame")
    before = canvas_texts(explained)
    assert before[0]
    if turned == "order":
        explained.viewer.dims.order = (1, 0, 2)
    else:
        explained.viewer.dims.ndisplay = 3
    assert canvas_texts(explained) == ("", "heat scaled to frame 1")
    explained.viewer.dims.order, explained.viewer.dims.ndisplay = (0, 1, 2), 2
    assert canvas_texts(explained) == before
    explained.viewer.dims.order = (0, 2, 1)  # transposed, but still a frame
    assert canvas_texts(explained) == before


def test_a_frame_with_very_little_heat_is_named_as_such(explained: ReviewSession) -> None:
    layer, layers = heat_of(explained), explained.layers()
    assert layers is not None
    peaks = np.array([np.max(layer.data[frame]) for frame in range(4)])
    shares = peaks / peaks.max()
    weak, strong = int(shares.argmin()), int(shares.argmax())
    assert shares[weak] < 0.25
    explained.go_to(strong)
    assert "reaches" not in canvas_texts(explained)[0]
    explained.go_to(weak)
    percent = f"{shares[weak]:.0%}"[:-1] + " %" if shares[weak] >= 0.01 else "less than 1 %"
    assert f"this frame reaches {percent} of the scale of all frames" in canvas_texts(explained)[0]
    assert explained.view.is_weak
    layers.set_scale("frame")
    assert "reaches" not in canvas_texts(explained)[0]
    assert not explained.view.is_weak


def test_the_explained_region_is_named_if_it_is_not_the_outlined_one(
    explained: ReviewSession, finish: Finish, qtbot: QtBot
) -> None:
    assert "heat explains the whole frame" in canvas_texts(explained)[0]
    explained.run(RunRequest(stages=STAGES), "all")
    finish(explained)
    assert "heat explains" not in canvas_texts(explained)[0]
    explained.set_threshold(0.6)
    qtbot.waitUntil(lambda: "heat explains the mask predicted above 0.50" in canvas_texts(explained)[0], timeout=10_000)
    explained.set_threshold(0.5)
    qtbot.waitUntil(lambda: "heat explains" not in canvas_texts(explained)[0], timeout=10_000)
    explained.run(RunRequest(stages=STAGES, region=Boundary()), "all")
    finish(explained)
    assert "heat explains the boundary of the mask predicted above 0.50" in canvas_texts(explained)[0]


def test_the_explained_class_is_named_if_several_are_outlined(
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
    assert f"heat explains {name}, the predicted mask" in canvas_texts(session)[0]
    layers.masks.show_only(2)
    assert "heat explains" not in canvas_texts(session)[0]


def test_a_color_bar_that_the_user_hid_stays_hidden(explained: ReviewSession) -> None:
    layer = heat_of(explained)
    layer.colorbar.visible = False
    explained.go_to(2)
    layer.opacity = 0.5
    assert not layer.colorbar.visible


@pytest.mark.slow
def test_a_click_or_a_key_scales_a_weak_frame_in_every_widget(
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
    assert canvas_texts(session)[1] == "heat scaled to this frame"
    layer = heat_of(session)
    assert layer.contrast_limits[1] == pytest.approx(np.max(layer.data[3]))
    (key,) = (key for key in KEYS if key.key == "W")
    key.press(ReviewKeys(session))
    assert widget.scale.value == "clip"
    assert "W: scale to the frame" in canvas_texts(session)[0]
    second = viewer.add_image(frames[:, ::-1], name="second")
    key.press(ReviewKeys(session))
    session.choose_image(session.choices.images()[-1])
    session.run(RunRequest(stages=STAGES, region="image"), "all")
    finish(session)
    assert canvas_texts(session)[1] == "heat scaled to this frame"
    assert second is not None


def test_the_segmentation_widget_shows_the_chosen_image(
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
