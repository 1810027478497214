"""A blinded review in a real window: before the answer, the window is the same whatever the network predicts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QAbstractButton, QComboBox, QLabel, QWidget

from napari_segcam.demo import demo_checkpoint
from napari_segcam.network.network import Network
from napari_segcam.review.creating import create_project
from napari_segcam.review.project_file import Settings
from napari_segcam.viewer.docks import dock
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.layers.placement import is_ours
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.strip.strip_widget import StripWidget
from napari_segcam.viewer.verdicts.blinding_controller import BlindingController
from napari_segcam.viewer.workspace import open_workspace

_NOT_OF_RESULTS = ("MB used", "done in")  # texts with memory and time


@dataclass
class Sight:
    """All that a reader can see of a window."""

    texts: list[str]
    layers: list[str]
    canvas: np.ndarray
    strip: np.ndarray
    status: str

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, Sight)
        words = (self.texts, self.layers, self.status) == (other.texts, other.layers, other.status)
        return words and np.array_equal(self.canvas, other.canvas) and np.array_equal(self.strip, other.strip)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A blinded review of a cine of four frames and a still, one of which is read again."""
    random = np.random.default_rng(5)
    images = tmp_path / "images"
    images.mkdir()
    frames = [Image.fromarray(random.integers(0, 255, (96, 64), dtype=np.uint8)) for _ in range(5)]
    frames[0].save(images / "sweep.tif", save_all=True, append_images=frames[1:4])
    frames[4].save(images / "still.png")
    folder = tmp_path / "blinded.segcam-review"
    create_project(folder, images, [demo_checkpoint()], Settings(hide_prediction=True, repeats=1, shuffle_seed=1))
    return folder


def with_bias(network: Network, bias: float) -> Network:
    """Return the network with another bias of its output: it finds something everywhere, or nowhere."""
    module = copy.deepcopy(network.module)
    with torch.no_grad():
        module.segmentation_head[0].bias.fill_(bias)
    return Network.from_module(module, device="cpu")


def see(window: QWidget, session: ReviewSession, strip: StripWidget) -> Sight:
    texts = []
    for widget in window.findChildren(QWidget):
        if isinstance(widget, QLabel | QAbstractButton):
            texts += [widget.text(), widget.toolTip()]
        elif isinstance(widget, QComboBox):
            texts += [widget.itemText(index) for index in range(widget.count())]
    shown = sorted(text for text in texts if text and not any(words in text for words in _NOT_OF_RESULTS))
    viewer: Any = session.viewer
    drawn = strip.plot.grab().toImage()
    buffer = drawn.constBits().asstring(drawn.sizeInBytes())
    names = [f"{layer.name} {layer.visible}" for layer in viewer.layers]
    pixels = np.frombuffer(buffer, np.uint8)
    return Sight(shown, names, viewer.screenshot(canvas_only=True, flash=False), pixels, str(viewer.status))


def wait_for_rest(session: ReviewSession, qtbot: QtBot) -> None:
    """Wait until nothing is computed, of the next case neither: the activity dock has a bar for that while it lasts."""
    worker = session.worker

    def rests() -> bool:
        return not (session.is_busy or worker.has_submitted or worker.present_job or worker.background_job)

    is_at_rest = False
    while not is_at_rest:
        qtbot.waitUntil(rests, timeout=60_000)
        qtbot.wait(1500)  # curves, words and bars follow
        is_at_rest = rests()


@pytest.mark.slow
def test_the_window_does_not_depend_on_the_prediction_before_the_answer(
    make_napari_viewer: Callable[..., Any], network: Network, project: Path, qtbot: QtBot
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1200, 700)
    session = session_of(viewer)
    controller, blinding = controller_of(session, ProjectController), controller_of(session, BlindingController)
    open_workspace(viewer)
    dock(viewer, "Cases", tabify=True)
    strip = dock(viewer, "Cine strip")[1]
    assert isinstance(strip, StripWidget)
    networks = [with_bias(network, bias) for bias in (9.0, -9.0)]  # not that of the project
    controller.open(project, "ann")
    qtbot.waitUntil(lambda: session.network is not None and controller.layers.is_shown, timeout=60_000)
    canvas = viewer.window._qt_window
    names = []
    for number in range(3):
        reading = controller.reading
        assert reading is not None
        assert session.image is not None
        names.append(session.image.name)
        sights = []
        for answered in (False, True):
            if answered:
                blinding.answer(True)
            for choice in networks:
                session.use(choice)
                session.run(RunRequest(stages=("encoder_5",)), "all")
                wait_for_rest(session, qtbot)
                viewer.status = ""
                sights.append(see(canvas, session, strip))
        before, after = sights[:2], sights[2:]
        assert before[0] == before[1], number
        assert not [name for name in before[0].layers if " mask" in name or "encoder" in name]
        assert after[0] != after[1]  # what is compared can tell the networks apart
        controller.finish()
        if number < 2:
            qtbot.waitUntil(
                lambda reading=reading: controller.reading != reading and controller.layers.is_shown,  # type: ignore[misc]
                timeout=30_000,
            )
    assert names == ["Case 1", "Case 2", "Case 3"]
    assert not any("reading 2" in text or "still.png" in text for text in see(canvas, session, strip).texts)
    assert controller.log is not None
    events = controller.log.events
    for reading in controller.readings:
        own = [event for event in events if getattr(event, "reading", None) == reading]
        answer = next(event.n for event in own if event.kind == "answer")
        assert all(event.n > answer for event in own if event.kind == "shown" and event.prediction)
    assert any(is_ours(layer) for layer in viewer.layers)
    controller.close()
