"""A throttle: whatever happens a hundred times a second is drawn far less often."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer

_INTERVAL_MS = 50  # twenty times a second


class Throttle(QTimer):
    """Does something soon after it was asked for, however often it was asked.

    Args:
        act: what is done.
        parent: with which it ends.
        interval: how soon, in ms.
    """

    def __init__(self, act: Callable[[], None], parent: QObject, interval: int = _INTERVAL_MS) -> None:
        super().__init__(parent)
        self.setSingleShot(True)
        self.setInterval(interval)
        self.timeout.connect(act)

    def ask(self) -> None:
        """Have it done within the interval; asking again meanwhile delays nothing."""
        if not self.isActive():
            self.start()
