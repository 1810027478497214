"""The report of a problem in the window: shown first, then copied or saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_segcam.network.network import Network
from napari_segcam.viewer.problem_window import open_problem_report
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.problem.problem_dialog import ProblemDialog


@pytest.mark.slow
def test_the_menu_shows_the_report_and_it_is_copied_and_saved(
    make_napari_viewer: Callable[..., Viewer],
    network: Network,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer()
    session = session_of(viewer)
    session.use(network)
    menus = {action.text().replace("&", ""): action.menu() for action in viewer.window.plugins_menu.actions()}
    (action,) = (action for action in menus["SegCAM"].actions() if action.text() == "Report a problem …")
    action.trigger()
    (dialog,) = viewer.window._qt_window.findChildren(ProblemDialog)
    assert not dialog.copy.isEnabled()
    qtbot.waitUntil(lambda: bool(dialog.text.toPlainText()), timeout=20_000)
    text = dialog.text.toPlainText()
    for part in ("| GL version |", "| Network | segmentation_models_pytorch.", "### End of the log", "| PyQt6 |"):
        assert part in text, part
    dialog.copy.click()
    assert QApplication.clipboard().text() == text
    path = tmp_path / "problem.md"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(path), ""))
    dialog.save.click()
    qtbot.waitUntil(path.exists)
    assert path.read_text("utf-8") == text
    dialog.close()
    other = open_problem_report(viewer)
    other.close()  # before the report is there
    qtbot.wait(200)
