"""A throttle: what changes a hundred times a second is drawn far less often."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer

_INTERVAL_MS = 50  # twenty times a second


class Throttle(QTimer):
    """Calls a function soon after it was requested, once for any number of requests.

    Args:
        act: the function.
        parent: Qt object with which the throttle ends.
        interval: ms from the first request to the call.
    """

    def __init__(self, act: Callable[[], None], parent: QObject, interval: int = _INTERVAL_MS) -> None:
        super().__init__(parent)
        self.setSingleShot(True)
        self.setInterval(interval)
        self.timeout.connect(act)

    def ask(self) -> None:
        """Request a call within the interval; another request meanwhile does not delay it."""
        if not self.isActive():
            self.start()
