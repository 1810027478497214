"""What fits the docks of a window follows its layout."""

from __future__ import annotations

from collections.abc import Collection

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget


class DockFollower(QObject):
    """Calls ``fit`` soon after the docks of a window have changed; it ends with the window.

    Args:
        window: the main window, whose docks and rows of tabs come and go.
        titles: of the docks of this plugin; what is in others stays as it is.
    """

    changes = frozenset({QEvent.Type.LayoutRequest})
    """The events of the window after which something may not fit."""

    def __init__(self, window: QWidget, titles: Collection[str]) -> None:
        super().__init__(window)
        self.window = window
        self.titles = frozenset(titles)
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.fit)
        window.installEventFilter(self)

    @classmethod
    def begin(cls, window: QWidget, titles: Collection[str]) -> None:
        """Follow a window from now on; once is enough."""
        if window.findChild(cls) is None:
            cls(window, titles)

    def fit(self) -> None:
        """Fit what is in the window now."""
        raise NotImplementedError

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if watched is self.parent() and event.type() in self.changes:
            self._soon.start()
        return False
