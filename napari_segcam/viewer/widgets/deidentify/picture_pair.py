"""Two pictures side by side: a frame as it is, and as it is in the copy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

_SMALLEST = QSize(160, 120)


class _Text:
    BEFORE = "Now"
    AFTER = "In the copy"


class PicturePair(QWidget):
    """Shows a frame before and after, each as large as there is room."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = _Picture(), _Picture()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, (words, picture) in enumerate(((_Text.BEFORE, self.before), (_Text.AFTER, self.after))):
            grid.addWidget(QLabel(words), 0, column)
            grid.addWidget(picture, 1, column)
            grid.setColumnStretch(column, 1)
        grid.setRowStretch(1, 1)

    def show_pictures(self, before: NDArray[np.uint8] | None, after: NDArray[np.uint8] | None) -> None:
        """Show two frames, ``(Y, X)`` or ``(Y, X, 3)``; None for an empty place."""
        self.before.show_frame(before)
        self.after.show_frame(after)


class _Picture(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setMinimumSize(_SMALLEST)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.pixmap = QPixmap()

    def show_frame(self, frame: NDArray[np.uint8] | None) -> None:
        """Show a frame, or nothing."""
        if frame is None:
            self.pixmap = QPixmap()
        else:
            pixels = np.ascontiguousarray(frame)
            form = QImage.Format.Format_RGB888 if pixels.ndim == 3 else QImage.Format.Format_Grayscale8
            image = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], form)
            self.pixmap = QPixmap.fromImage(image.copy())
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        if self.pixmap.isNull():
            return
        size = self.pixmap.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(
            (self.width() - size.width()) // 2, (self.height() - size.height()) // 2, size.width(), size.height(),
            self.pixmap,
        )  # fmt: skip
        painter.end()
