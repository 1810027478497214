"""A tile: an answer, with a picture that shows its mask; a click takes the answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QAbstractButton, QSizePolicy

from napari_segcam.viewer.drawing.theme_colors import quiet

_PICTURE_HEIGHT = 72
_MARGIN = 3
_PLATE = QColor(22, 24, 28)
_QUIET = QColor(150, 156, 164)
_CHOSEN = QColor("#2f8fff")
_OLD = 0.35  # opacity of a picture of the frame before


class AnswerTile(QAbstractButton):
    """A picture with a label and what was found; the one in use has a frame.

    Attributes:
        label: the answer.
        lines: of text that the label may take.
    """

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label
        self.lines = 2
        self._words = "…"
        self._image: QImage | None = None
        self._is_new = False
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._describe("")

    def show_picture(self, pixels: NDArray[np.uint8], words: str, failure: str) -> None:
        """Show a picture ``(h, w, 3)``, and what was found in it, or why nothing can be shown."""
        pixels = np.ascontiguousarray(pixels)
        height, width, _ = pixels.shape
        self._image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        self._words, self._is_new = words, True
        self._describe(failure)
        self.update()

    def show_old(self) -> None:
        """Show the picture pale, because it is of another frame."""
        if self._is_new:
            self._is_new = False
            self.update()

    @property
    def words(self) -> str:
        """What was found."""
        return self._words

    def _describe(self, failure: str) -> None:
        self.setToolTip("\n".join(filter(None, (self.label, failure))))
        self.setAccessibleName(f"{self.label}: {self._words}")

    def sizeHint(self) -> QSize:  # noqa: N802
        lines = self.lines + 1
        return QSize(84, _PICTURE_HEIGHT + lines * self.fontMetrics().lineSpacing() + 3 * _MARGIN)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(60, self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        area = self.rect().adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        plate = QRect(area.left(), area.top(), area.width(), _PICTURE_HEIGHT)
        painter.fillRect(plate, _PLATE)
        if self._image is not None:
            size = self._image.size().scaled(plate.size(), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRect(0, 0, size.width(), size.height())
            target.moveCenter(plate.center())
            painter.setOpacity(1.0 if self._is_new else _OLD)
            painter.drawImage(target, self._image)
            painter.setOpacity(1.0)
        line = self.fontMetrics().lineSpacing()
        text = QRect(area.left(), plate.bottom() + _MARGIN, area.width(), self.lines * line)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        font = painter.font()
        font.setBold(self.isChecked())
        painter.setFont(font)
        flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap)
        used = painter.boundingRect(text, flags, self.label)
        painter.drawText(text, flags, self.label)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(quiet(self))
        below = QRect(text.left(), min(used.bottom(), text.bottom()) + 1, text.width(), line)
        words = self.fontMetrics().elidedText(
            self._words if self._is_new else "…", Qt.TextElideMode.ElideRight, text.width()
        )
        painter.drawText(below, int(Qt.AlignmentFlag.AlignHCenter), words)
        if self.isChecked() or self.hasFocus() or self.underMouse():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            pen = QPen(_CHOSEN if self.isChecked() else _QUIET, 2 if self.isChecked() else 1)
            if self.hasFocus() and not self.isChecked():
                pen.setStyle(Qt.PenStyle.DashLine)
            painter.setPen(pen)
            painter.drawRect(self.rect().adjusted(1, 1, -2, -2))
        painter.end()

    def nextCheckState(self) -> None:  # noqa: N802
        """A click does not check the tile by itself: it is checked once the network is used in this way."""
