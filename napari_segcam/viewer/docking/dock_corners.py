"""Corners of the window: docks at a side reach to its top and bottom where the screen is too low for both."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QScreen
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_segcam.viewer.docking.dock_follower import DockFollower

_AREAS, _CORNERS = Qt.DockWidgetArea, tuple(Qt.Corner)
_SIDES = (
    (_AREAS.LeftDockWidgetArea, Qt.Corner.TopLeftCorner, Qt.Corner.BottomLeftCorner),
    (_AREAS.RightDockWidgetArea, Qt.Corner.TopRightCorner, Qt.Corner.BottomRightCorner),
)
_SEPARATOR = 6  # pixels between docks, at most


class DockCorners(DockFollower):
    """Gives the corners of a window to the docks at its sides, if it would be higher than the screen otherwise.

    In large fonts napari's layer controls, above the layer list, are nearly as high as a small screen. There is no room
    for the first steps above them or the cine strip below them, but there is beside them.
    """

    changes = frozenset({QEvent.Type.LayoutRequest, QEvent.Type.StyleChange})

    def fit(self) -> None:
        """Give the corners to the sides, or back to the top and the bottom."""
        window = self.window
        if not isinstance(window, QMainWindow):
            return
        room = _room(window)
        top = _least_height(window, _AREAS.TopDockWidgetArea)
        bottom = _least_height(window, _AREAS.BottomDockWidgetArea)
        given = [window.corner(corner) for corner in _CORNERS]
        for side, upper, lower in _SIDES:
            column = _least_height(window, side)
            window.setCorner(lower, side if column + top + bottom > room else _AREAS.BottomDockWidgetArea)
            window.setCorner(upper, side if column + top > room else _AREAS.TopDockWidgetArea)
        if given != [window.corner(corner) for corner in _CORNERS]:
            _shrink(window)


def _shrink(window: QMainWindow) -> None:
    """Take back what a window has grown beyond its screen before the corners were given."""
    frame = window.frameGeometry().height() - window.height()
    height = screen_of(window).availableGeometry().height() - frame
    if window.height() > height and not window.isFullScreen() and not window.isMaximized():
        if (layout := window.layout()) is not None:
            layout.activate()
        window.resize(window.width(), height)


def screen_of(window: QMainWindow) -> QScreen:
    """Return the screen that a window is on."""
    screen = window.screen()
    assert screen is not None
    return screen


def _room(window: QMainWindow) -> int:
    """Return how many pixels a window on its screen has for docks, from top to bottom."""
    frame = window.frameGeometry().height() - window.height()
    bars: tuple[QWidget | None, ...] = (window.menuBar(), window.statusBar())
    taken = sum(bar.sizeHint().height() for bar in bars if bar is not None and bar.isVisible())
    return screen_of(window).availableGeometry().height() - frame - taken


def _least_height(window: QMainWindow, area: Qt.DockWidgetArea) -> int:
    """Return the height in pixels that the docks of an area need below each other; those in tabs share theirs."""
    height = 0
    docks = window.findChildren(QDockWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
    left = [dock for dock in docks if window.dockWidgetArea(dock) == area and not dock.isHidden()]
    left = [dock for dock in left if not dock.isFloating()]
    while left:
        tabs = [left[0], *(dock for dock in window.tabifiedDockWidgets(left[0]) if dock in left)]
        height += max(dock.minimumSizeHint().height() for dock in tabs) + _SEPARATOR
        left = [dock for dock in left if dock not in tabs]
    return height
