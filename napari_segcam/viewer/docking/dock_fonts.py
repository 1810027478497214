"""Docks in napari's font size: titles that have room, and tool buttons that are as large as other text."""

from __future__ import annotations

from collections.abc import Collection

from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QLabel, QToolButton, QWidget

_AROUND_TITLE = 6  # pixels above and below the words of a title


def fit_docks(window: QWidget, titles: Collection[str]) -> None:
    """Let the docks of a window have napari's font size from now on; as ``DockFonts``."""
    if window.findChild(DockFonts) is None:
        DockFonts(window, titles)


class DockFonts(QObject):
    """Gives tool buttons in this plugin's docks napari's font size, and all titles of docks the height that they need.

    napari's style sets the size of labels and most controls, but not of tool buttons, and titles of docks would be cut
    in a large font.

    Args:
        window: the main window; it ends with it.
        titles: of the docks of this plugin; what is in others stays as it is.
    """

    def __init__(self, window: QWidget, titles: Collection[str]) -> None:
        super().__init__(window)
        self._titles = frozenset(titles)
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._fit)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if watched is self.parent() and event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.StyleChange):
            self._soon.start()
        return False

    def _fit(self) -> None:
        window = self.parent()
        assert isinstance(window, QWidget)
        for dock in window.findChildren(QDockWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            _fit_title(dock)
            if dock.windowTitle() in self._titles and dock.widget() is not None:
                use_napari_font(dock.widget())


def use_napari_font(widget: QWidget) -> None:
    """Give the tool buttons in a widget napari's font size."""
    size = int(get_settings().appearance.font_size)
    for button in widget.findChildren(QToolButton):
        font = button.font()
        if font.pointSize() != size:
            font.setPointSize(size)
            button.setFont(font)


def _fit_title(dock: QDockWidget) -> None:
    """Make a title as high as its words: napari does so once, by another font."""
    bar = dock.titleBarWidget()
    if bar is None:
        return
    for words in bar.findChildren(QLabel, options=Qt.FindChildOption.FindDirectChildrenOnly):
        height = words.fontMetrics().height()
        if words.text() and not words.isHidden() and bar.minimumHeight() != height + _AROUND_TITLE:
            words.setMinimumHeight(height)
            bar.setMinimumHeight(height + _AROUND_TITLE)
