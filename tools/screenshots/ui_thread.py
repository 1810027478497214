"""Calls into the thread of the window, from the thread that follows a tutorial.

The follower has a thread of its own, so that it goes on while a dialog or a menu keeps the window's thread in a loop.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any, TypeVar

from qtpy.QtCore import QObject, Qt, Signal

T = TypeVar("T")

_POLL_SECONDS = 0.3


class UiThread(QObject):
    """Runs functions in the thread in which it was made."""

    _posted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._posted.connect(lambda run: run(), Qt.ConnectionType.QueuedConnection)

    def post(self, function: Callable[[], object]) -> None:
        """Have a function run soon, and go on at once: it may open a dialog that stays."""
        self._posted.emit(function)

    def ask(self, function: Callable[[], T]) -> T:
        """Return what a function gives in the window's thread; its error is raised here."""
        answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                answers.put((function(), None))
            except BaseException as error:
                answers.put((None, error))

        self._posted.emit(run)
        value, error = answers.get(timeout=120)
        if error is not None:
            raise error
        return value

    def until(self, condition: Callable[[], T | None], seconds: float) -> T | None:
        """Return the first true value of a condition, or None if it had none in this time."""
        end = time.monotonic() + seconds
        while True:
            if value := self.ask(condition):
                return value
            if time.monotonic() > end:
                return None
            time.sleep(_POLL_SECONDS)
