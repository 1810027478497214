"""A dialog that is as large as its content needs in the present font."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QDialog

from napari_segcam.viewer.widgets.fitting.fitted import Fitted


class FittedDialog(Fitted, QDialog):
    """Grows where text wraps, or a style makes it larger as the dialog is shown; never beyond the screen."""

    def fit(self) -> None:
        """Be as high as what is in the dialog needs in its width."""
        layout = self.layout()
        if layout is None or not self.isVisible():
            return
        layout.activate()
        least = layout.totalMinimumSize()
        width = max(self.width(), least.width())
        height = max(self.height(), least.height(), layout.totalHeightForWidth(width))
        size = QSize(width, height).boundedTo(self.screen().availableSize())
        if size != self.size():
            self.resize(size)
