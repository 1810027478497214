"""Errors that offer what mends them: each kind as it is raised, and its button as it is clicked in the window."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from napari.utils.notifications import notification_manager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QPushButton

from napari_segcam.batch.options import ExplainOptions
from napari_segcam.errors import Mend, MendableText, SegcamError
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.slow_methods.feature_maps import never_runs
from napari_segcam.imaging.preprocessing import _with_channels
from napari_segcam.network.device import choose_device
from napari_segcam.network.loading import load_network
from napari_segcam.network.network import Network
from napari_segcam.optional import needed
from napari_segcam.viewer import mendable_errors
from napari_segcam.viewer.closed_panels import FIRST_STEPS, is_closed
from napari_segcam.viewer.docks import dock
from napari_segcam.viewer.first_steps.first_steps_widget import FirstStepsWidget
from napari_segcam.viewer.jobs.folder_job import FolderRun, folder_job
from napari_segcam.viewer.mending.mends import OFFERS
from napari_segcam.viewer.review.requirements import missing_requirement
from napari_segcam.viewer.workspace import open_workspace


def raised(act: Callable[[], object]) -> str:
    with pytest.raises(SegcamError) as caught:
        act()
    return str(caught.value)


def out_of_memory(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    explainer = Explainer(network, stages=("encoder_5",))

    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("napari_segcam.explanation.runner.forward", fail)
    explainer(np.zeros((64, 64), np.uint8))


def unknown_weights(path: Path) -> None:
    torch.save({"a.weight": torch.zeros(3, 5), "b.weight": torch.zeros(7, 3)}, path)
    load_network(path)


def test_each_kind_of_error_names_what_mends_it(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_images = FolderRun(tmp_path / "none", tmp_path / "out", with_report=False)
    kinds: dict[Mend, list[str]] = {
        "choose_folders": [
            raised(lambda: list(folder_job(no_images, network, None, ExplainOptions(), lambda: False).work()))
        ],
        "copy_command": [raised(lambda: needed("no_such_package", "A file", extra="formats"))],
        "describe_network": [raised(lambda: unknown_weights(tmp_path / "unknown.pth"))],
        "edit_card": [
            raised(lambda: network.class_index("liver")),
            raised(lambda: _with_channels(torch.zeros(4, 4, 3), 5, reverse=False)),
        ],
        "load_checkpoint": [
            missing_requirement(None, None) or "",
            raised(lambda: load_network(tmp_path / "moved.pth")),
        ],
        "open_image": [missing_requirement(network, None) or ""],
        "show_stages": [str(never_runs(SimpleNamespace(layer="x")))],  # type: ignore[arg-type]
        "use_any_device": [raised(lambda: choose_device("tpu"))],
        "use_cpu": [raised(lambda: out_of_memory(network, monkeypatch))],
    }
    assert set(kinds) == set(OFFERS) == set(get_args(Mend)) - {""}
    for action, messages in kinds.items():
        for message in messages:
            assert isinstance(message, MendableText), message
            assert message.action == action


def test_an_error_without_an_action_is_plain_text() -> None:
    assert type(str(SegcamError("a"))) is str


def test_the_action_survives_another_process() -> None:
    copied = pickle.loads(pickle.dumps(SegcamError("a  b", action="use_cpu")))
    assert (str(copied), copied.action) == ("a b", "use_cpu")


def test_buttons_do_what_they_say(
    make_napari_viewer: Callable[..., Any], qtbot: QtBot, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make_napari_viewer(show=True)
    open_workspace(viewer)
    clicked: list[str] = []
    checkpoint, gradcam = dock(viewer, "Checkpoint")[1], dock(viewer, "Grad-CAM", tabify=True)[1]
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getOpenFileNames", lambda *_: (clicked.append("asked for files"), ([], ""))[1]
    )
    checkpoint.device.activated.connect(lambda index: clicked.append(checkpoint.device.itemData(index)))

    def click(action: Mend, message: str = "A problem.") -> None:
        notification_manager.records.clear()
        mendable_errors.show_error(MendableText(message, action))
        (record,) = notification_manager.records
        assert record.message == message
        ((label, mend),) = record.actions
        assert label == OFFERS[action].label
        mend(None)
        qtbot.wait(10)

    click("copy_command", 'x needs the package y. Install it: pip install "napari-segcam[formats]"')
    assert QGuiApplication.clipboard().text() == 'pip install "napari-segcam[formats]"'
    click("use_cpu")
    assert (clicked.pop(), checkpoint.device.value) == ("cpu", "cpu")
    click("use_any_device")
    assert (clicked.pop(), checkpoint.device.value) == ("auto", "auto")
    click("describe_network")
    assert checkpoint.advanced.isExpanded()
    click("edit_card")
    assert checkpoint.editing.isExpanded()
    click("open_image")
    assert clicked.pop() == "asked for files"
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_: (clicked.append("asked for a folder"), "")[1]
    )
    export = dock(viewer, "Export", tabify=True)[1]
    export.session.use(network)
    qtbot.waitUntil(export.run.isEnabled)
    click("choose_folders")
    assert clicked.pop() == "asked for a folder"
    click("show_stages")
    qtbot.waitUntil(lambda: not gradcam.visibleRegion().isEmpty())
    click("load_checkpoint")
    qtbot.waitUntil(lambda: not checkpoint.visibleRegion().isEmpty())


def test_the_button_stays_until_the_problem_is_mended_or_closed(
    make_napari_viewer: Callable[..., Any], qtbot: QtBot, network: Network
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 768)
    open_workspace(viewer)
    place, panel = dock(viewer, FIRST_STEPS)
    assert isinstance(panel, FirstStepsWidget)
    device = dock(viewer, "Checkpoint")[1].device  # type: ignore[attr-defined]
    line, steps = panel.problem, panel.words
    qtbot.waitUntil(steps.isVisible)
    low = panel.height()

    def fail(action: Mend) -> None:
        mendable_errors.show_error(MendableText("There is too little memory. " * 12, action))
        qtbot.waitUntil(line.mend.isVisible)

    def beside() -> list[QPushButton]:
        """The buttons on napari's own notification and on the line."""
        buttons = viewer.window._qt_window.findChildren(QPushButton)
        return [button for button in buttons if button.isVisible() and button.text() == OFFERS["use_cpu"].label]

    mendable_errors.show_error("Nothing mends this.")
    assert not line.isVisible()
    fail("use_cpu")
    qtbot.waitUntil(lambda: len(beside()) == 2)
    assert steps.isVisible()
    assert panel.height() > low
    assert line.words.height() >= line.words.heightForWidth(line.words.width())  # all of it can be read
    qtbot.mouseClick(line.mend, Qt.MouseButton.LeftButton)
    assert device.value == "cpu"
    assert line.isVisible()
    panel.session.use(network)
    assert not line.isVisible()
    qtbot.waitUntil(lambda: (panel.height(), place.height()) == (low, low))

    qtbot.mouseClick(panel.close_button, Qt.MouseButton.LeftButton)  # the first steps are closed for good
    assert place.isHidden()
    fail("copy_command")
    assert not steps.isVisible()
    panel.session.use(network)
    assert line.isVisible()  # a network installs nothing
    qtbot.mouseClick(line.close_button, Qt.MouseButton.LeftButton)
    assert place.isHidden()
    assert is_closed(FIRST_STEPS)


def test_a_window_without_the_panel_gets_it(make_napari_viewer: Callable[..., Any], qtbot: QtBot) -> None:
    viewer = make_napari_viewer(show=True)
    dock(viewer, "Checkpoint")
    mendable_errors.show_warning(MendableText("There is too little memory.", "use_cpu"))
    panel = dock(viewer, FIRST_STEPS)[1]
    assert isinstance(panel, FirstStepsWidget)
    qtbot.waitUntil(panel.problem.mend.isVisible)


def test_every_message_of_the_window_can_have_a_button() -> None:
    folder = Path(mendable_errors.__file__).parent
    plain = [path for path in folder.rglob("*.py") if "from napari.utils.notifications" in path.read_text("utf-8")]
    assert [path.name for path in plain] == ["mendable_errors.py"]
