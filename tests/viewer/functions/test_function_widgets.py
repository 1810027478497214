"""The functions as widgets: made by magicgui as they are, and the contributed ones, which use the worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from magicgui import magicgui
from napari import Viewer
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

import napari_segcam as sc
from napari_segcam.explanation.attribution import ATTRIBUTIONS
from napari_segcam.explanation.methods import METHODS as CAM_METHODS
from napari_segcam.explanation.perturbation import PERTURBATIONS
from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.hiding import Hidden
from napari_segcam.viewer.functions import segmenting
from napari_segcam.viewer.functions.parameters import METHODS
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.functions import function_widgets
from napari_segcam.viewer.widgets.functions.function_widgets import ExplainWidget, FunctionWidget, SegmentWidget

FILE = Path("best_model.pth")


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch, network: Network) -> list[threading.Thread]:
    """The threads in which a network was asked for; any file gives the same small network."""
    asked: list[threading.Thread] = []

    def give(_checkpoint: object, _device: str, _tell: Callable[[str], None]) -> Network:
        asked.append(threading.current_thread())
        return network

    for module in (segmenting, function_widgets):
        monkeypatch.setattr(module, "network_of", give)
    return asked


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The errors and warnings that a widget has shown."""
    texts: list[str] = []
    for name in ("show_error", "show_warning"):
        monkeypatch.setattr(function_widgets, name, texts.append)
    return texts


@pytest.fixture
def finish_run(qtbot: QtBot) -> Callable[[FunctionWidget], None]:
    """A function that presses a widget's button, and waits for the end of its run."""

    def press(widget: FunctionWidget) -> None:
        widget()
        qtbot.waitUntil(lambda: widget.session.background.job is None, timeout=30_000)

    return press


def test_all_methods_are_offered_but_those_of_other_packages() -> None:
    assert set(METHODS) == {*CAM_METHODS, *PERTURBATIONS, *ATTRIBUTIONS}


def test_magicgui_makes_widgets_of_the_functions_as_they_are() -> None:
    widget = magicgui(sc.explain)
    assert widget.threshold.value is None
    widget.threshold.value = 0.25
    assert widget.threshold.value == 0.25
    widget.threshold.value = None
    assert widget.threshold.value is None
    assert "*.pth" in widget.checkpoint.filter
    assert widget.region.choices == ("mask", "image")
    assert widget.device.choices == ("auto", "cuda", "mps", "cpu")
    assert widget.method.choices == METHODS
    assert "encoder_last" in widget.stages.choices
    assert all(parameter.tooltip for parameter in widget if parameter.name != "call_button")


def test_a_plain_widget_adds_labels_that_lie_on_the_image(
    make_napari_viewer: Callable[..., Viewer], frames: np.ndarray, threads: list[threading.Thread], network: Network
) -> None:
    viewer = make_napari_viewer()
    image = viewer.add_image(frames, name="sweep", scale=(1, 0.4, 0.2), translate=(0, 5, 7))
    widget = magicgui(sc.segment)
    viewer.window.add_dock_widget(widget)
    assert widget.image.choices == (image,)
    widget.checkpoint.value = FILE
    widget()
    labels = viewer.layers[-1]
    np.testing.assert_array_equal(labels.data, sc.segment(image, network))
    np.testing.assert_allclose(labels.scale, image.scale)
    np.testing.assert_allclose(labels.translate, image.translate)
    assert threads


def test_contributed_widgets_compute_in_the_worker(
    make_napari_viewer: Callable[..., Viewer],
    frames: np.ndarray,
    threads: list[threading.Thread],
    shown: list[str],
    network: Network,
    finish_run: Callable[[FunctionWidget], None],
) -> None:
    viewer = make_napari_viewer()
    image = viewer.add_image(frames, name="sweep", scale=(1, 0.4, 0.2), translate=(0, 5, 7))
    _, widget = viewer.window.add_plugin_dock_widget("napari-segcam", "Segment")
    assert isinstance(widget, SegmentWidget)
    widget()
    assert shown == ["Choose a checkpoint first: a file such as best_model.pth."]
    widget.checkpoint.value = FILE
    finish_run(widget)
    assert [layer.name for layer in viewer.layers] == ["sweep", "sweep segmentation"]
    np.testing.assert_array_equal(viewer.layers[1].data, sc.segment(image, network))
    np.testing.assert_allclose(viewer.layers[1].translate, image.translate)
    assert threads[0].name == "segcam-worker"
    assert widget.message.text() == "One layer added over sweep."


def with_widget(
    frames: np.ndarray, kind: type[FunctionWidget], name: str = "sweep"
) -> tuple[FunctionWidget, ViewerModel]:
    viewer = ViewerModel()
    viewer.add_image(frames, name=name)
    widget = kind(viewer)  # type: ignore[call-arg, arg-type]
    widget.checkpoint.value = FILE
    return widget, viewer


def test_what_the_reader_has_painted_stays(
    frames: np.ndarray, threads: list[threading.Thread], finish_run: Callable[[FunctionWidget], None]
) -> None:
    widget, viewer = with_widget(frames, SegmentWidget)
    finish_run(widget)
    finish_run(widget)  # an untouched result is replaced
    assert len(viewer.layers) == 2
    painted = viewer.layers[1]
    painted.paint((0, 5, 5), 7)
    kept = painted.data.copy()
    finish_run(widget)
    assert len(viewer.layers) == 3
    assert painted in viewer.layers
    np.testing.assert_array_equal(painted.data, kept)
    assert len(threads) == 3


def test_explain_adds_a_layer_a_stage_and_none_when_it_is_stopped(
    frames: np.ndarray, threads: list[threading.Thread], finish_run: Callable[[FunctionWidget], None], qtbot: QtBot
) -> None:
    widget, viewer = with_widget(frames, ExplainWidget)
    widget.stages.value = "encoder"
    finish_run(widget)
    finish_run(widget)
    names = [f"encoder_{number} gradcam (sweep)" for number in range(1, 6)]
    assert [layer.name for layer in viewer.layers] == ["sweep", *names]
    assert widget.session.image is viewer.layers["sweep"]
    assert list(widget.image.choices) == [viewer.layers["sweep"]]
    widget.method.value = "scorecam"
    widget()
    qtbot.waitUntil(lambda: bool(widget._run_now and widget._run_now.detail), timeout=20_000)
    assert not widget.call_button.enabled
    qtbot.waitUntil(lambda: "runs of the network" in widget.message.text(), timeout=5_000)
    widget.stop.click()
    qtbot.waitUntil(lambda: widget.session.background.job is None, timeout=20_000)
    assert len(viewer.layers) == 6
    assert "stopped" in widget.message.text()
    assert widget.call_button.enabled
    assert threads


def test_what_must_not_be_seen_is_not_computed(
    frames: np.ndarray, threads: list[threading.Thread], shown: list[str]
) -> None:
    widget, viewer = with_widget(frames, SegmentWidget)
    session_of(viewer).reviews.hiding.rule = lambda _image: Hidden(prediction=True, words="Read it first.")
    widget()
    assert shown == ["Read it first."]
    assert not threads


def test_an_error_in_the_worker_reaches_the_reader(
    frames: np.ndarray,
    finish_run: Callable[[FunctionWidget], None],
    overlapping: Network,
    monkeypatch: pytest.MonkeyPatch,
    messages: list[str],
) -> None:
    monkeypatch.setattr(function_widgets, "network_of", lambda *_: overlapping)
    widget, viewer = with_widget(frames, SegmentWidget)
    finish_run(widget)
    assert "choose a class (cyst, wall)" in messages[0]
    assert "choose a class (cyst, wall)" in widget.message.text()
    widget.class_name.value = "wall"
    finish_run(widget)
    assert [layer.name for layer in viewer.layers] == ["sweep", "sweep segmentation wall"]
