"""Ctrl-C in the terminal closes a window that a command has opened, unless its user says no."""

from __future__ import annotations

import os
import signal
import threading

import napari
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QWidget

from napari_segcam.viewer.responsiveness.ctrl_c import run_until_closed

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")


class Window(QWidget):
    """A window that may have unsaved work."""

    asked = 0
    may_close = True

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        self.asked += 1
        event.setAccepted(self.may_close)


@pytest.fixture
def window(qtbot: QtBot) -> Window:
    window = Window()
    qtbot.addWidget(window)
    window.show()
    return window


def press_soon() -> None:
    threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()


def test_it_is_closed(window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(napari, "run", lambda: qtbot.waitUntil(lambda: not window.isVisible()))
    press_soon()
    with pytest.raises(KeyboardInterrupt):
        run_until_closed(window)
    assert window.asked == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_a_window_with_unsaved_work_can_stay(window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to its question closes it later."""

    def run() -> None:
        window.may_close = False
        qtbot.waitUntil(lambda: window.asked == 1)
        assert window.isVisible()
        window.may_close = True
        window.close()

    monkeypatch.setattr(napari, "run", run)
    press_soon()
    with pytest.raises(KeyboardInterrupt):
        run_until_closed(window)


def test_a_click_is_no_ctrl_c(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(napari, "run", window.close)
    run_until_closed(window)
