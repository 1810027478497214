"""The line that the reader is drawing, with its length beside the mouse."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

from napari_segcam.viewer.click.sketch import Sketch

_PLATE, _LETTERS = QColor(0, 0, 0, 170), QColor("#ffe600")
_OFFSET = QPointF(14, -28)  # of the words from the mouse
_MARGIN = 4.0


class CaliperSketch(Sketch):
    """A transparent widget over the canvas; the mouse goes through it.

    Args:
        canvas: that it covers.
    """

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._words = ""
        self._end = QPointF()

    def draw_length(self, positions: Sequence[Sequence[float]], words: str) -> None:
        """Draw a line through positions ``(x, y)`` on the canvas, with words beside its end."""
        self._words = words
        self._end = QPointF(float(positions[-1][0]), float(positions[-1][1]))
        self.draw_line(positions)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the line, and the words on a dark plate, within the canvas."""
        super().paintEvent(event)
        if not self._words:
            return
        painter = QPainter(self)
        size = painter.fontMetrics().size(0, self._words)
        plate = QRectF(self._end + _OFFSET, self._end + _OFFSET + QPointF(size.width(), size.height()))
        plate.adjust(-_MARGIN, -_MARGIN / 2, _MARGIN, _MARGIN / 2)
        if plate.right() > self.width():
            plate.moveRight(self._end.x() - _OFFSET.x())
        if plate.top() < 0:
            plate.moveTop(self._end.y() - _OFFSET.y() / 2)
        painter.fillRect(plate, _PLATE)
        painter.setPen(_LETTERS)
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, self._words)
