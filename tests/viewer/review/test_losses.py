"""Corrections are never lost without a question, and there is no question if nothing would be lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QCloseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_segcam.network.network import Network
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.frames.frame_computer import FrameComputer
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.losses import LossGuard
from napari_segcam.viewer.review.outputs import bring_back_corrections, write_corrections
from napari_segcam.viewer.review.question import Question
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.workspace import PLUGIN

Finish = Callable[[ReviewSession], None]
EXPLAIN = RunRequest(stages=("encoder_5",))


@pytest.fixture
def docked(
    make_napari_viewer: Callable[..., Any],
    network: Network,
    frames: np.ndarray,
    finish: Finish,
    messages: list[str],  # noqa: ARG001
) -> tuple[Any, Any, ReviewSession]:
    """A visible window with the Segmentation widget, whose cine is explained."""
    viewer = make_napari_viewer(show=True)
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Segmentation")
    viewer.add_image(frames, name="sweep")
    viewer.dims.set_current_step(0, 1)
    session: ReviewSession = widget.session
    session.use(network)
    session.run(EXPLAIN, "all")
    finish(session)
    return viewer, widget, session


def paint(session: ReviewSession, frame: int = 1) -> np.ndarray:
    """Correct a frame; return the correction."""
    layers = session.layers()
    assert layers is not None
    assert layers.mask is not None
    rows, columns = (axis.ravel() for axis in np.mgrid[2:30, 3:20])
    layers.mask.data_setitem((np.full(len(rows), frame), rows, columns), 1)
    pixels = layers.corrections.pixels(frame)
    assert pixels is not None
    return pixels.copy()


def answer(question: Question | None, label: str) -> None:
    assert question is not None
    (button,) = (button for button in question.buttons() if button.text().startswith(label))
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_correction_whose_layer_was_removed_is_kept_and_can_be_restored(
    reviewed: ReviewSession, qtbot: QtBot
) -> None:
    painted, layers = paint(reviewed), reviewed.layers()
    assert layers is not None
    layer = layers.corrections.layer
    assert layer is not None
    reviewed.viewer.layers.remove(layer)
    assert layers.corrections.is_taken_out
    assert reviewed.record is not None
    assert reviewed.record.edited == {1}
    assert "the layer of your corrections is removed" in reviewed.view.of_frame.replace("\n", " ")
    qtbot.wait(20)
    assert reviewed.question is None  # there is no window in which to ask
    bring_back_corrections(reviewed)
    restored = layers.corrections.layer
    assert restored is not None
    assert restored is layer
    np.testing.assert_array_equal(restored.data[1], painted)
    assert "removed" not in reviewed.view.of_frame


def test_removing_the_mask_keeps_the_correction(reviewed: ReviewSession, finish: Finish) -> None:
    painted, layers = paint(reviewed), reviewed.layers()
    assert layers is not None
    reviewed.viewer.layers.remove(layers.mask)
    reviewed.run(EXPLAIN, "all")
    finish(reviewed)
    assert layers.mask is not None
    np.testing.assert_array_equal(layers.corrections.pixels(1), painted)


@pytest.mark.parametrize("order", ["image first", "correction first"])
def test_corrections_are_kept_when_their_image_is_removed(reviewed: ReviewSession, order: str) -> None:
    painted, layers = paint(reviewed), reviewed.layers()
    assert layers is not None
    correction = layers.corrections.layer
    assert correction is not None
    removed = [reviewed.image, correction]
    for layer in removed if order == "image first" else removed[::-1]:
        reviewed.viewer.layers.remove(layer)
    assert reviewed.image is None
    bring_back_corrections(reviewed)
    assert correction in reviewed.viewer.layers
    np.testing.assert_array_equal(correction.data[1], painted)


def test_the_correction_of_earlier_pixels_becomes_an_ordinary_layer(
    reviewed: ReviewSession, frames: np.ndarray
) -> None:
    painted, layers = paint(reviewed), reviewed.layers()
    assert layers is not None
    correction = layers.corrections.layer
    assert correction is not None
    assert reviewed.image is not None
    reviewed.image.data = frames[:, ::-1].copy()
    assert correction in reviewed.viewer.layers
    np.testing.assert_array_equal(correction.data[1], painted)
    assert correction in reviewed.choices.regions()
    assert reviewed.record is not None
    assert reviewed.record.edited == set()


def test_corrections_are_saved_alone(reviewed: ReviewSession, qtbot: QtBot, tmp_path: Path) -> None:
    painted = paint(reviewed)
    with qtbot.waitCallback(timeout=10_000) as saved:
        write_corrections(reviewed, tmp_path, then=saved)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "sweep_frame_0001_correction.png")), painted)
    described = json.loads((tmp_path / "sweep_corrections.json").read_text())["corrections"]
    assert described["sweep_frame_0001_correction.png"]["frame"] == 1
    layers = reviewed.layers()
    assert layers is not None
    assert layers.corrections.unsaved == set()
    assert layers.corrections.frames == {1}


def test_corrections_stay_unsaved_if_the_folder_cannot_be_written_to(
    reviewed: ReviewSession, qtbot: QtBot, messages: list[str], tmp_path: Path
) -> None:
    paint(reviewed)
    (tmp_path / "file").write_text("in the way")
    write_corrections(reviewed, tmp_path / "file" / "out", then=lambda: pytest.fail("nothing was saved"))
    qtbot.waitUntil(lambda: bool(messages), timeout=10_000)
    assert "cannot be written" in messages[-1]
    layers = reviewed.layers()
    assert layers is not None
    assert layers.corrections.unsaved == {1}


@pytest.mark.slow
def test_removing_the_corrections_layer_asks(docked: tuple[Any, Any, ReviewSession], qtbot: QtBot) -> None:
    viewer, widget, session = docked
    painted, layers = paint(session), session.layers()
    assert layers is not None
    layer = layers.corrections.layer
    assert layer is not None
    for expected in ("Bring", "Remove"):
        session.question = None
        viewer.layers.remove(layer)
        assert widget.bring_back.isVisibleTo(widget)
        qtbot.waitUntil(lambda: session.question is not None and session.question.isVisible(), timeout=5000)
        question: Any = session.question
        assert "1 frame of sweep" in question.informativeText()
        answer(question, expected)
        if expected == "Bring":
            assert layer in viewer.layers
            np.testing.assert_array_equal(layer.data[1], painted)
    assert layer not in viewer.layers
    assert session.reviews.corrections() == []
    assert not widget.bring_back.isVisibleTo(widget)


def guard_of(session: ReviewSession) -> LossGuard:
    """Return the guard that asks in the session's window."""
    guard = session.findChild(LossGuard)
    assert guard is not None
    return guard


def closes(session: ReviewSession) -> bool:
    """Return whether the window would close now, by napari's menu or its close button."""
    guard = guard_of(session)
    event = QCloseEvent()
    return not (guard.eventFilter(session.viewer.window._qt_window, event) and not event.isAccepted())


def test_closing_the_window_asks_whether_to_save_corrections(
    docked: tuple[Any, Any, ReviewSession], qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, session = docked
    guard = guard_of(session)
    assert closes(session)
    assert guard.question is None  # nothing is lost
    painted = paint(session)
    closed: list[bool] = []
    guard.close = lambda: closed.append(True)
    assert not closes(session)
    assert guard.question is not None
    assert "1 frame of sweep, not saved" in guard.question.informativeText()
    answer(guard.question, "Stay")
    for folder in ("", str(tmp_path)):  # the dialog is cancelled first
        assert closed == []
        assert not closes(session)
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, folder=folder: folder)
        answer(guard.question, "Save and close")
        qtbot.wait(50)
    qtbot.waitUntil(lambda: closed == [True], timeout=10_000)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "sweep_frame_0001_correction.png")), painted)
    assert closes(session)


def test_the_window_can_be_closed_without_saving(docked: tuple[Any, Any, ReviewSession], qtbot: QtBot) -> None:
    _, _, session = docked
    paint(session)
    guard = guard_of(session)
    closed: list[bool] = []
    guard.close = lambda: closed.append(True)
    assert not closes(session)
    answer(guard.question, "Close and lose it")
    qtbot.waitUntil(lambda: closed == [True], timeout=5000)
    assert closes(session)


def test_the_window_stays_open_until_the_question_is_answered(docked: tuple[Any, Any, ReviewSession]) -> None:
    viewer, _, session = docked
    paint(session)
    viewer.window._qt_window.close(quit_app=False, confirm_need=False)  # as napari's menu does
    assert viewer.window._qt_window.isVisible()
    question = guard_of(session).question
    assert question is not None
    QTest.keyClick(question, Qt.Key.Key_Escape)  # Escape is the safe answer
    assert viewer.window._qt_window.isVisible()


@pytest.mark.slow
def test_a_script_that_closes_a_viewer_is_not_asked(docked: tuple[Any, Any, ReviewSession]) -> None:
    viewer, _, session = docked
    paint(session)
    guard = guard_of(session)
    viewer.close()
    assert guard.question is None
    assert session.question is None


def test_loading_another_network_asks_while_frames_are_computed(
    docked: tuple[Any, Any, ReviewSession], finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, _, session = docked
    _, checkpoint = viewer.window.add_plugin_dock_widget(PLUGIN, "Checkpoint")
    loaded: list[ModelSource] = []
    monkeypatch.setattr(session, "load", lambda source, *_args: loaded.append(source))
    checkpoint.load("first.pth")
    assert len(loaded) == 1  # nothing is lost, so there is no question
    compute = FrameComputer.compute

    may_continue = threading.Event()

    def slow(self: FrameComputer, *args: Any) -> Any:
        may_continue.wait(5)
        return compute(self, *args)

    monkeypatch.setattr(FrameComputer, "compute", slow)
    session.run(RunRequest("hirescam", stages=("encoder_5",)), "all")
    checkpoint.load("second.pth")
    assert session.question is not None
    assert "Explaining 4 frames" in session.question.informativeText()
    answer(session.question, "Keep this network")
    assert len(loaded) == 1
    checkpoint.load("second.pth")
    answer(session.question, "Load the other")
    assert len(loaded) == 2
    may_continue.set()
    finish(session)
    assert isinstance(checkpoint._requested, ModelSource)


def test_closing_the_window_asks_whether_to_save_measurements(
    docked: tuple[Any, Any, ReviewSession], qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, session = docked
    controller = controller_of(session, CalipersController)
    controller.set_tool("caliper")
    controller.draw((5.0, 5.0), (5.0, 25.0))
    painted = paint(session)
    guard = guard_of(session)
    closed: list[bool] = []
    guard.close = lambda: closed.append(True)
    assert not closes(session)
    assert guard.question is not None
    assert "1 measurement of sweep, not saved" in guard.question.informativeText()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    answer(guard.question, "Save and close")
    qtbot.waitUntil(lambda: closed == [True], timeout=10_000)
    assert "distance" in (tmp_path / "measurements.csv").read_text(encoding="utf-8")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "sweep_frame_0001_correction.png")), painted)
    assert controller.unsaved() == []
