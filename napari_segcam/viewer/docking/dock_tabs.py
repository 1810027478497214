"""Tabs of docks whose names can be read in a narrow window."""

from __future__ import annotations

from collections.abc import Collection

from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QTabBar, QWidget

_SMALLEST_FONT = 7  # points
_STYLE = "QTabBar {{ padding: 0px; }} QTabBar::tab {{ padding: 3px 2px; font-size: {size}pt; }}"


def fit_tabs(window: QWidget, titles: Collection[str]) -> None:
    """Let the tabs of a window show names in full from now on; as ``DockTabs``."""
    if window.findChild(DockTabs) is None:
        DockTabs(window, titles)


class DockTabs(QObject):
    """Shows the names of tabs in full, a point smaller than other text; tabs that do not fit are reached by arrows.

    Qt would cut each name off instead. Six docks of the plugin fit side by side in a window of 1366 pixels.

    Args:
        window: the main window, whose rows of tabs come and go with its docks; it ends with it.
        titles: of the docks of this plugin; rows of tabs without any of them stay as they are.
    """

    def __init__(self, window: QWidget, titles: Collection[str]) -> None:
        super().__init__(window)
        self._titles = frozenset(titles)
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._fit)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if watched is self.parent() and event.type() == QEvent.Type.LayoutRequest:
            self._soon.start()
        return False

    def _fit(self) -> None:
        size = max(_SMALLEST_FONT, int(get_settings().appearance.font_size) - 1)
        style = _STYLE.format(size=size)
        window = self.parent()
        assert isinstance(window, QWidget)
        for bar in window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if self._titles.isdisjoint(bar.tabText(index) for index in range(bar.count())):
                continue
            if bar.styleSheet() != style:
                bar.setStyleSheet(style)
            if bar.elideMode() != Qt.TextElideMode.ElideNone:
                bar.setElideMode(Qt.TextElideMode.ElideNone)
