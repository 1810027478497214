"""A throttle: whatever happens a hundred times a second is drawn at most twenty times."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer

_INTERVAL_MS = 50


class Throttle(QTimer):
    """Does something soon after it was asked for, however often it was asked.

    Args:
        act: what is done.
        parent: with which it ends.
    """

    def __init__(self, act: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self.setSingleShot(True)
        self.setInterval(_INTERVAL_MS)
        self.timeout.connect(act)

    def ask(self) -> None:
        """Have it done within the interval; asking again meanwhile delays nothing."""
        if not self.isActive():
            self.start()
