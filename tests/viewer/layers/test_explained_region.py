"""The region that the heat explains is outlined, unless another outline already shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtTest import QTest
from scipy import ndimage

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.targets.region import Boundary, Component
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.workspace import PLUGIN

Finish = Callable[[ReviewSession], None]
STAGES = ("encoder_5",)


@pytest.fixture
def window(make_napari_viewer_proxy: Callable[[], Any], frames: np.ndarray, finish: Finish) -> Iterator[ReviewSession]:
    """The session of a real window with a cine, its second frame in view."""
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Grad-CAM")
    viewer.add_image(frames, name="sweep", scale=(1, 0.5, 0.5), translate=(0, 3, 4))
    viewer.dims.set_current_step(0, 1)
    yield widget.session
    widget.session.cancel()
    finish(widget.session)


def layer_of(session: ReviewSession) -> Image | None:
    """Return the layer of the outline; None if it is not visible."""
    QTest.qWait(20)  # it is added in the next turn of the event loop
    layers = [layer for layer in session.viewer.layers if layer.name == "sweep explained region"]
    assert len(layers) <= 1
    return layers[0] if layers and layers[0].visible else None


def assert_outlined(session: ReviewSession, region: np.ndarray) -> None:
    """Check that exactly this region is outlined, and that the text mentions the dashes."""
    layer = layer_of(session)
    assert layer is not None
    inside = ndimage.binary_erosion(region)
    drawn = np.asarray(layer._slice.image.raw)  # as napari draws it
    np.testing.assert_array_equal(drawn > 0, region & ~inside)
    assert set(np.unique(drawn)) == {0, 1, 2}
    assert np.allclose(layer.extent.world[:, 1:], session.image.extent.world[:, 1:])  # type: ignore[union-attr]
    assert "dashed" in session.view.of_frame.replace("\n", " ")


def assert_not_outlined(session: ReviewSession) -> None:
    assert layer_of(session) is None
    assert "dashed" not in session.view.of_frame


def region_of(
    network: Network, frame: np.ndarray, target: Target, crop: tuple[slice, slice] | None = None
) -> np.ndarray:
    explainer = Explainer(network, stages=STAGES)
    return explainer(frame, target, ArrayCine(frame[None]).value_range, crop).region


@pytest.mark.slow
@pytest.mark.parametrize("region", ["image", Boundary(), Component()], ids=["image", "boundary", "component"])
def test_each_frame_has_its_own_region_outlined(
    window: ReviewSession, network: Network, frames: np.ndarray, finish: Finish, region: Any
) -> None:
    window.use(network)
    window.run(RunRequest(stages=STAGES, region=region), "all")
    finish(window)
    for frame in (1, 2, 0, 3):
        window.go_to(frame)
        explained = region_of(network, frames[frame], Target(region=region))
        mask = region_of(network, frames[frame], Target())
        if np.array_equal(explained, mask):  # the mask has one component, and its outline is drawn
            assert_not_outlined(window)
        else:
            assert_outlined(window, explained)


@pytest.mark.slow
def test_after_the_threshold_moves_the_explained_mask_is_outlined(
    window: ReviewSession, network: Network, frames: np.ndarray, finish: Finish, qtbot: QtBot
) -> None:
    window.use(network)
    window.run(RunRequest(stages=STAGES), "all")
    finish(window)
    assert_not_outlined(window)
    window.set_threshold(0.6)
    qtbot.waitUntil(lambda: layer_of(window) is not None, timeout=10_000)
    assert_outlined(window, region_of(network, frames[1], Target()))
    window.go_to(2)
    assert_outlined(window, region_of(network, frames[2], Target()))
    window.set_threshold(0.5)
    qtbot.waitUntil(lambda: layer_of(window) is None, timeout=10_000)
    assert_not_outlined(window)
    qtbot.waitUntil(lambda: "sweep explained region" not in window.viewer.layers, timeout=10_000)


@pytest.mark.slow
def test_it_is_hidden_without_heat_and_where_another_outline_shows_the_region(
    window: ReviewSession, network: Network, frames: np.ndarray, finish: Finish
) -> None:
    window.use(network)
    window.run(RunRequest(stages=STAGES), "all")
    finish(window)
    layers = window.layers()
    assert layers is not None
    mask, heat = layers.mask, layers.heatmaps["encoder_5"]
    assert mask is not None
    mask.visible = False
    assert_outlined(window, region_of(network, frames[1], Target()))
    heat.opacity = 0
    assert_not_outlined(window)
    heat.opacity = 0.5
    assert layer_of(window) is not None
    window.viewer.dims.order = (1, 0, 2)  # a plane across frames
    assert_not_outlined(window)
    window.viewer.dims.order = (0, 1, 2)
    assert_outlined(window, region_of(network, frames[1], Target()))
    mask.visible = True
    assert_not_outlined(window)


@pytest.mark.slow
def test_a_class_whose_outline_is_hidden_is_outlined(
    window: ReviewSession, three_classes: Network, frames: np.ndarray, finish: Finish
) -> None:
    window.use(three_classes)
    window.run(RunRequest(stages=STAGES, class_index=2), "all")
    finish(window)
    assert_not_outlined(window)  # its mask is outlined, beside that of the other class
    layers = window.layers()
    assert layers is not None
    layers.masks.show_only(1)
    assert_outlined(window, region_of(three_classes, frames[1], Target(class_index=2)))


@pytest.mark.slow
def test_of_a_crop_the_input_region_is_outlined(
    window: ReviewSession, network: Network, frames: np.ndarray, finish: Finish
) -> None:
    crop = (slice(8, 72), slice(16, 64))
    window.use(network)
    review = window.review
    assert review is not None
    review.set_crop(crop)
    window.run(RunRequest(stages=STAGES, region="image"), "all")
    finish(window)
    region = np.zeros((96, 64), bool)
    region[crop] = True
    np.testing.assert_array_equal(region_of(network, frames[1], Target(region="image"), crop), region)
    assert_outlined(window, region)
    assert "heat explains the whole input region" in window.view.of_frame.replace("\n", " ")


@pytest.mark.slow
def test_a_painted_region_is_outlined_after_each_stroke(
    window: ReviewSession, network: Network, finish: Finish, qtbot: QtBot
) -> None:
    window.viewer.add_labels(np.zeros((4, 96, 64), np.uint8), name="mine", scale=(1, 0.5, 0.5), translate=(0, 3, 4))
    painted = next(layer for layer in window.choices.regions() if layer.name == "mine")
    assert isinstance(painted, Labels)
    painted.data_setitem((np.full(400, 1), *np.nonzero(np.pad(np.ones((20, 20)), 10))), np.ones(400, np.uint8))
    window.use(network)
    window.run(RunRequest(stages=STAGES, region=painted), "visited")
    finish(window)
    assert_outlined(window, painted.data[1] > 0)
    painted.data_setitem((np.full(5, 1), np.full(5, 60), np.arange(3, 8)), np.ones(5, np.uint8))
    qtbot.waitUntil(lambda: not window.is_busy and layer_of(window) is not None, timeout=20_000)
    finish(window)
    assert_outlined(window, painted.data[1] > 0)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["hidden", "transparent", "removed"])
def test_an_outline_that_the_user_hides_stays_hidden(
    window: ReviewSession, network: Network, finish: Finish, change: str
) -> None:
    window.use(network)
    window.run(RunRequest(stages=STAGES, region="image"), "all")
    finish(window)
    layer = layer_of(window)
    assert layer is not None
    if change == "hidden":
        layer.visible = False
    elif change == "transparent":
        layer.opacity = 0
    else:
        window.viewer.layers.remove(layer)
    for frame in (1, 2):
        window.go_to(frame)
        assert change == "transparent" or layer_of(window) is None
        assert "heat explains the whole frame" in window.view.of_frame
        assert "dashed" not in window.view.of_frame
    if change == "hidden":
        layer.visible = True
    elif change == "transparent":
        layer.opacity = 1
    else:
        window.run(RunRequest(stages=STAGES, region="image"), "all")
        finish(window)
    assert_outlined(window, np.ones((96, 64), bool))


@pytest.mark.slow
def test_it_belongs_to_the_image_that_is_chosen(
    window: ReviewSession, network: Network, frames: np.ndarray, finish: Finish, qtbot: QtBot
) -> None:
    window.use(network)
    window.run(RunRequest(stages=STAGES, region="image"), "all")
    finish(window)
    first = window.image
    assert layer_of(window) is not None
    selected = set(window.viewer.layers.selection)
    window.viewer.add_image(frames[:, ::-1], name="second")
    assert layer_of(window) is None
    assert selected != set(window.viewer.layers.selection)
    window.choose_image(first)
    assert_outlined(window, np.ones((96, 64), bool))
    assert first is not None
    window.viewer.layers.remove(first)
    qtbot.waitUntil(lambda: "sweep explained region" not in window.viewer.layers, timeout=2000)


@pytest.mark.slow
def test_all_layers_can_be_removed_at_once(
    window: ReviewSession, network: Network, frames: np.ndarray, finish: Finish, qtbot: QtBot
) -> None:
    window.use(network)
    window.run(RunRequest(stages=STAGES), "all")
    finish(window)
    window.viewer.layers.clear()  # the mask goes before the heat
    qtbot.wait(50)
    assert not window.viewer.layers
    assert window.view.of_frame == ""
    window.viewer.add_image(frames, name="sweep")
    window.run(RunRequest(stages=STAGES, region="image"), "all")
    finish(window)
    window.viewer.layers.clear()
    qtbot.wait(50)
    assert not window.viewer.layers
