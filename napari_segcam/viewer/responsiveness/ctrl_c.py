"""A window that a command has opened, and Ctrl-C in its terminal."""

from __future__ import annotations

import signal
from typing import Any

import napari
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

_LOOK_MS = 200


def run_until_closed(window: QWidget) -> None:
    """Run napari until its window is closed. Ctrl-C closes it as a click would, with its questions on unsaved work.

    Args:
        window: of the viewer.

    Raises:
        KeyboardInterrupt: once the window is closed, if Ctrl-C was pressed, also if a question was answered in between.
    """
    previous = signal.getsignal(signal.SIGINT)
    if previous in (signal.SIG_IGN, None):
        napari.run()
        return
    was_pressed = False

    def on_interrupt(_number: int, _frame: Any) -> None:
        nonlocal was_pressed
        was_pressed = True
        QTimer.singleShot(0, window.close)  # not here: a question would be asked within any line of code

    awake = QTimer(interval=_LOOK_MS)
    awake.timeout.connect(lambda: None)  # Python looks at signals only when some Python code runs
    awake.start()
    signal.signal(signal.SIGINT, on_interrupt)
    try:
        napari.run()
    finally:
        signal.signal(signal.SIGINT, previous)
        awake.stop()
    if was_pressed:
        raise KeyboardInterrupt
