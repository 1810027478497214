"""Docks in napari's font size: as large as it needs, with titles that have room and tool buttons like other text."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QDockWidget, QLabel

from napari_segcam.viewer.docking.dock_follower import DockFollower
from napari_segcam.viewer.docking.napari_font import use_napari_font

_FOLLOWS = "segcam_follows_content"
_AROUND_TITLE = 6  # pixels above and below the words of a title


class DockFonts(DockFollower):
    """Gives all text in this plugin's docks napari's font size, and all titles of docks the height that they need.

    napari's style sets the size of labels and most controls, but not of tool buttons, fields and tables, and titles of
    docks would be cut in a large font. In a smaller font than before, docks would stay as wide and high as the larger
    one needed.
    """

    changes = frozenset({QEvent.Type.LayoutRequest, QEvent.Type.StyleChange})

    def fit(self) -> None:
        """Fit the docks that are there now."""
        for dock in self.window.findChildren(QDockWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            _follow_content(dock)
            _fit_title(dock)
            if dock.windowTitle() in self.titles and dock.widget() is not None:
                use_napari_font(dock.widget())


def _follow_content(dock: QDockWidget) -> None:
    """Let the least size of a dock be what its content needs now.

    napari sets one for each dock. Qt never makes such a size smaller again than the content has once been.
    """
    if not dock.property(_FOLLOWS):
        dock.setProperty(_FOLLOWS, True)
        dock.setMinimumSize(0, 0)
        if (layout := dock.layout()) is not None:
            layout.invalidate()
            layout.activate()


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
