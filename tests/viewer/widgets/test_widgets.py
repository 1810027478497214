"""The widgets in a real napari window, opened through the plugin's manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.slow_methods.control import ProgressControl
from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.cine_record import FrameState
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.checkpoint_widget import CheckpointWidget
from napari_segcam.viewer.widgets.gradcam_widget import GradCamWidget
from napari_segcam.viewer.widgets.segmentation_widget import SegmentationWidget
from napari_segcam.viewer.widgets.stage_table import RATIO
from napari_segcam.viewer.workspace import PLUGIN, open_workspace

Finish = Callable[[ReviewSession], None]
Docked = tuple[Any, CheckpointWidget, SegmentationWidget, GradCamWidget]


@pytest.fixture
def docked(make_napari_viewer_proxy: Callable[[], Any], messages: list[str]) -> Docked:  # noqa: ARG001
    viewer = make_napari_viewer_proxy()
    widgets = [
        viewer.window.add_plugin_dock_widget(PLUGIN, name)[1] for name in ("Checkpoint", "Segmentation", "Grad-CAM")
    ]
    return viewer, *widgets


def test_widgets_share_one_session(docked: Docked) -> None:
    viewer, checkpoint, segmentation, gradcam = docked
    assert checkpoint.session is segmentation.session is gradcam.session is session_of(viewer)


def test_a_single_widget_says_what_is_missing(
    make_napari_viewer_proxy: Callable[[], Any], messages: list[str], network: Network, frames: np.ndarray
) -> None:
    viewer = make_napari_viewer_proxy()
    _, gradcam = viewer.window.add_plugin_dock_widget(PLUGIN, "Grad-CAM")
    bar = gradcam.run_bar
    assert "Load a checkpoint first" in bar.message.text()
    assert not bar.run.isEnabled()
    gradcam.session.use(network)
    assert "Open an ultrasound image or cine first" in bar.message.text()
    viewer.add_image(frames)
    assert bar.message.text() == ""
    assert bar.run.isEnabled()
    assert messages == []


@pytest.mark.slow
def test_from_a_dropped_checkpoint_to_heatmaps(
    docked: Docked, finish: Finish, qtbot: QtBot, network: Network, frames: np.ndarray, tmp_path: Path
) -> None:
    viewer, checkpoint, segmentation, gradcam = docked
    path = tmp_path / "unet.pth"
    torch.save(network.module.state_dict(), path)
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    checkpoint.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, dropped, buttons, keys))
    qtbot.waitUntil(lambda: checkpoint.session.is_busy)  # it is loaded after the drop has ended
    finish(checkpoint.session)
    for fact in ("Unet", "resnet18", "unet.pth", "3 channels", "foreground", "5 encoder, 5 decoder", "cpu"):
        assert fact in checkpoint.card.text()

    viewer.add_image(frames, name="sweep")
    viewer.dims.set_current_step(0, 1)
    assert gradcam.image.currentText() == segmentation.image.currentText() == "sweep"
    segmentation.threshold.setValue(0.4)
    qtbot.mouseClick(segmentation.run_bar.run, Qt.MouseButton.LeftButton)
    finish(checkpoint.session)
    assert [layer.name for layer in viewer.layers] == ["sweep", "sweep mask"]
    assert viewer.layers["sweep mask"].data[1].any()

    methods = [gradcam.method.itemText(i) for i in range(gradcam.method.count())]
    assert methods[0] == "Grad-CAM"
    assert {"Grad-CAM++", "LayerCAM", "HiResCAM", "Score-CAM (slow)"} <= set(methods)
    assert len(gradcam.checked()) == 10
    qtbot.mouseClick(gradcam.run_bar.run, Qt.MouseButton.LeftButton)
    finish(checkpoint.session)
    names = [layer.name for layer in viewer.layers]
    assert len(names) == 12
    assert any(name.startswith("encoder_5 (") for name in names)
    assert "done" in gradcam.run_bar.message.text()
    assert segmentation.run_bar.message.text().startswith("Segmenting")


@pytest.mark.slow
def test_opacity_and_colormap_act_on_all_stages(
    docked: Docked, finish: Finish, network: Network, frames: np.ndarray
) -> None:
    viewer, checkpoint, _, gradcam = docked
    viewer.add_image(frames)
    checkpoint.session.use(network)
    gradcam.run_bar.requested.emit("current")
    finish(checkpoint.session)
    gradcam.opacity.setValue(0.3)
    gradcam.colormap.setCurrentText("magma")
    gradcam.colormap.activated.emit(gradcam.colormap.currentIndex())
    heatmaps = [layer for layer in viewer.layers if "stride" in layer.name]
    assert len(heatmaps) == 10
    assert {layer.opacity for layer in heatmaps} == {0.3}
    assert {layer.colormap.name for layer in heatmaps} == {"segcam magma 0"}


def test_stages_are_chosen_in_the_list_which_shows_their_figures(
    docked: Docked, finish: Finish, network: Network, frames: np.ndarray
) -> None:
    viewer, checkpoint, _, gradcam = docked
    viewer.add_image(frames[0])
    checkpoint.session.use(network)
    gradcam.choose_all.click()
    assert len(gradcam.checked()) == len(network.stages)
    gradcam.choose_none.click()
    assert gradcam.checked() == ()
    rows = {gradcam.stages.topLevelItem(i).text(0): gradcam.stages.topLevelItem(i) for i in range(11)}
    rows["encoder_3"].setCheckState(0, Qt.CheckState.Checked)
    gradcam.run_bar.requested.emit("current")
    finish(checkpoint.session)
    assert rows["encoder_3"].text(RATIO)
    assert not rows["encoder_4"].text(RATIO)


@pytest.mark.slow
def test_progress_and_cancel_show_while_a_cine_runs(
    docked: Docked, finish: Finish, qtbot: QtBot, network: Network, frames: np.ndarray
) -> None:
    viewer, checkpoint, _, gradcam = docked
    session, bar = checkpoint.session, gradcam.run_bar
    viewer.add_image(np.concatenate([frames] * 8))
    session.use(network)
    bar.requested.emit("all")
    qtbot.waitUntil(lambda: bar.progress.isVisibleTo(bar), timeout=60_000)
    assert not bar.run.isVisibleTo(bar)
    qtbot.waitUntil(lambda: bar.progress.value() >= 1, timeout=60_000)
    qtbot.mouseClick(bar.cancel, Qt.MouseButton.LeftButton)
    finish(session)
    assert 0 < np.count_nonzero(session.record.states == FrameState.DONE) < 32
    assert bar.run.isVisibleTo(bar)
    assert "stopped" in bar.message.text()


def test_several_classes_can_be_shown_one_at_a_time(
    docked: Docked, finish: Finish, three_classes: Network, frames: np.ndarray
) -> None:
    viewer, checkpoint, segmentation, gradcam = docked
    viewer.add_image(frames[0], name="still")
    checkpoint.session.use(three_classes)
    assert not segmentation.threshold.isEnabled()
    shown = segmentation.shown_class
    assert [shown.itemText(i) for i in range(shown.count())] == ["All", "class 1", "class 2"]
    assert gradcam.target_class.currentText() == "class 1"
    segmentation.run_bar.requested.emit("current")
    finish(checkpoint.session)
    assert set(np.unique(viewer.layers["still mask"].data)) == {0, 1, 2}
    shown.setCurrentText("class 2")
    shown.activated.emit(shown.currentIndex())
    assert set(np.unique(viewer.layers["still mask"].data)) == {0, 2}


def test_a_bad_checkpoint_leaves_the_widget_usable(
    docked: Docked, finish: Finish, messages: list[str], network: Network, tmp_path: Path
) -> None:
    _, checkpoint, _, _ = docked
    checkpoint.session.use(network)
    card = checkpoint.card.text()
    path = tmp_path / "empty.pth"
    path.touch()
    checkpoint.load(str(path))
    finish(checkpoint.session)
    assert len(messages) == 1
    assert "empty.pth" in messages[0]
    assert checkpoint.card.text() == card


def test_the_workspace_docks_all_widgets_once(make_napari_viewer: Callable[..., Any], qtbot: QtBot) -> None:
    viewer = make_napari_viewer()
    for _ in range(2):
        open_workspace(viewer)
        qtbot.wait(50)
    names = [name for name in viewer.window.dock_widgets if PLUGIN in name]
    assert len(names) == 6


@pytest.mark.slow
def test_heat_is_drawn_at_its_position_in_the_map(
    make_napari_viewer: Callable[..., Any], finish: Finish, network: Network, frames: np.ndarray, qtbot: QtBot
) -> None:
    """The canvas shows the heatmap, interpolated to the frame."""
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.zeros_like(frames[0]))
    session = session_of(viewer)
    session.use(network)
    _, gradcam = viewer.window.add_plugin_dock_widget(PLUGIN, "Grad-CAM")
    gradcam.choose_none.click()
    gradcam.stages.topLevelItem(2).setCheckState(0, Qt.CheckState.Checked)
    gradcam.region.setCurrentText("Whole image")
    gradcam.colormap.setCurrentText("gray")
    gradcam.opacity.setValue(1)
    gradcam.run_bar.requested.emit("current")
    finish(session)
    layers = session.layers()
    assert layers is not None
    (heatmap,) = layers.heatmaps.values()
    heatmap.colorbar.visible = False
    for name in ("segcam_status", "segcam_scale"):
        del viewer.canvas.overlays[name]  # if only hidden, they come back with the next text
    assert layers.mask is not None
    layers.mask.visible = False
    values = np.zeros_like(heatmap.data)
    values[3, 5] = 1.0
    heatmap.data = values
    heatmap.contrast_limits = (0, 1)
    qtbot.wait(200)  # the outline of the explained region comes a moment later
    for layer in viewer.layers:
        layer.visible = layer is heatmap or layer in session.choices.images()
    qtbot.wait(200)
    drawn = viewer.export_figure(scale_factor=1, flash=False)[..., 0].astype(float)
    stride = 8
    scale = drawn.shape[0] / frames.shape[1]
    y, x = (np.average(axis, weights=drawn) / scale for axis in np.mgrid[: drawn.shape[0], : drawn.shape[1]])
    assert abs(y - (3 * stride + (stride - 1) / 2)) < 1.0
    assert abs(x - (5 * stride + (stride - 1) / 2)) < 1.0


@pytest.mark.slow
def test_previews_and_methods_with_a_stage_of_their_own_run_from_the_widget(
    docked: Docked, finish: Finish, qtbot: QtBot, network: Network, frames: np.ndarray
) -> None:
    viewer, checkpoint, _, gradcam = docked
    session = checkpoint.session
    viewer.add_image(frames[0])
    session.use(network)
    gradcam.choose_none.click()
    gradcam.stages.topLevelItem(9).setCheckState(0, Qt.CheckState.Checked)
    gradcam.method.setCurrentText("Score-CAM, preview")
    gradcam.run_bar.requested.emit("current")
    qtbot.waitUntil(lambda: "runs" in session.title, timeout=60_000)
    finish(session)
    (stage,) = gradcam.checked()
    expected = Explainer(network, "scorecam", [stage], control=ProgressControl(preview=True))(frames[0])
    shown = session.layers().heatmaps[stage].data
    np.testing.assert_allclose(shown, expected.heatmaps[stage].values, rtol=1e-4, atol=1e-6)
    gradcam.method.setCurrentText("Occlusion (slow)")
    gradcam.run_bar.requested.emit("current")
    finish(session)
    assert list(session.layers().heatmaps) == ["input"]
    assert "done" in session.outcomes["explain"]
