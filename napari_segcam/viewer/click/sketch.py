"""The sketch: the box or line that the user is drawing on the canvas, before it is asked about."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

_DARK, _BRIGHT = QColor(0, 0, 0), QColor("#ffb000")  # as the outline of the explained region


class Sketch(QWidget):
    """A transparent widget over the canvas; the mouse goes through it.

    Args:
        canvas: that it covers.
    """

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self._points: list[QPointF] = []
        self._is_closed = False

    def draw_box(self, start: Sequence[float], end: Sequence[float]) -> None:
        """Draw a rectangle between two positions ``(x, y)`` on the canvas."""
        (left, top), (right, bottom) = start[:2], end[:2]
        self._draw([(left, top), (right, top), (right, bottom), (left, bottom)], is_closed=True)

    def draw_line(self, positions: Sequence[Sequence[float]]) -> None:
        """Draw a line through positions ``(x, y)`` on the canvas."""
        self._draw(positions, is_closed=False)

    def clear(self) -> None:
        """Draw nothing."""
        self._points = []
        self.hide()

    def _draw(self, positions: Sequence[Sequence[float]], *, is_closed: bool) -> None:
        self._points = [QPointF(float(position[0]), float(position[1])) for position in positions]
        self._is_closed = is_closed
        self.setGeometry(self.parentWidget().rect())
        self.show()
        self.raise_()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        """Draw a dark line with bright dashes, which can be seen on any image."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = QPolygonF(self._points)
        for color, style in ((_DARK, Qt.PenStyle.SolidLine), (_BRIGHT, Qt.PenStyle.DashLine)):
            painter.setPen(QPen(color, 2, style))
            if self._is_closed:
                painter.drawPolygon(line)
            else:
                painter.drawPolyline(line)
