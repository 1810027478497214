"""Tabs of docks whose names can be read in a narrow window."""

from __future__ import annotations

from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QTabBar

from napari_segcam.viewer.docking.dock_follower import DockFollower

_SMALLEST_FONT = 7  # points
_STYLE = "QTabBar {{ padding: 0px; }} QTabBar::tab {{ padding: 3px 2px; font-size: {size}pt; }}"


class DockTabs(DockFollower):
    """Shows the names of tabs in full, a point smaller than other text; tabs that do not fit are reached by arrows.

    Qt would cut each name off instead. Six docks of the plugin fit side by side in a window of 1366 pixels. Rows of
    tabs without any dock of this plugin stay as they are.
    """

    def fit(self) -> None:
        """Fit the rows of tabs that are there now."""
        size = max(_SMALLEST_FONT, int(get_settings().appearance.font_size) - 1)
        style = _STYLE.format(size=size)
        for bar in self.window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if self.titles.isdisjoint(bar.tabText(index) for index in range(bar.count())):
                continue
            if bar.styleSheet() != style:
                bar.setStyleSheet(style)
            if bar.elideMode() != Qt.TextElideMode.ElideNone:
                bar.setElideMode(Qt.TextElideMode.ElideNone)
