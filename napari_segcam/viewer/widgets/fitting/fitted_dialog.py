"""A dialog that is as large as its content needs in the present font."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QDialog

from napari_segcam.viewer.docking.napari_font import use_napari_font
from napari_segcam.viewer.widgets.fitting.fitted import Fitted
from napari_segcam.viewer.widgets.fitting.vertical_scroll import VerticalScroll


class FittedDialog(Fitted, QDialog):
    """Grows where text wraps, or a style makes it larger as the dialog is shown; never beyond the screen.

    Attributes:
        opens_whole: whether it also grows until everything that scrolls in it is in sight.
    """

    opens_whole = False

    def fit(self) -> None:
        """Be as high as what is in the dialog needs in its width."""
        layout = self.layout()
        if layout is None or not self.isVisible():
            return
        layout.activate()
        least = layout.totalMinimumSize()
        width = max(self.width(), least.width())
        height = max(self.height(), least.height(), layout.totalHeightForWidth(width))
        if self.opens_whole:
            height += self._hidden_height(width)
        size = QSize(width, height).boundedTo(self.screen().availableSize())
        if size != self.size():
            self.resize(size)

    def fit_font(self) -> None:
        """Use napari's font size for all text."""
        use_napari_font(self)
        self.fit()

    def _hidden_height(self, width: int) -> int:
        """Return how many pixels of the scrolled content would be out of sight in this width."""
        hidden = 0
        for area in self.findChildren(VerticalScroll):
            content, view = area.widget().layout(), area.viewport()
            if content is not None and view is not None:
                needed = content.totalHeightForWidth(max(1, view.width() + width - self.width()))
                hidden += max(0, max(needed, content.totalMinimumSize().height()) - view.height())
        return hidden
