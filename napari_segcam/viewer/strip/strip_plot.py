"""The drawing of the cine strip: a row of states, the curves below it, and the frame in view."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPointF, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF, QRegion
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.review.finding_stepper import runs
from napari_segcam.viewer.strip.frame_marks import STYLES, FrameMark, legend, looks, row_of_columns

_BACKGROUND = QColor(22, 24, 28)
_QUIET = QColor(150, 156, 164)
_PLAYHEAD = QColor(255, 255, 255)
_STATES_HEIGHT = 12
_MARGIN = 4


@dataclass(frozen=True, eq=False)
class Curve:
    """A figure of every frame.

    Attributes:
        name: in the record.
        values: ``(T,)``, not a number where there is none.
        heights: ``(T,)`` the same in shares of the plot's height.
        color: of the line.
    """

    name: str
    values: NDArray[np.float64]
    heights: NDArray[np.float64]
    color: str


@dataclass
class StripPicture:
    """What is drawn: the record, its chosen curves, and what to say where there is nothing to draw."""

    record: CineRecord | None = None
    curves: list[Curve] = field(default_factory=list)
    message: str = ""


class StripPlot(QWidget):
    """Draws a picture; a click or a drag asks for the frame under the pointer.

    States and curves are drawn into a pixmap when the picture changes; moving to another frame redraws only the line.
    """

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumSize(120, 48)
        self.setAccessibleName("Cine strip")
        self.picture = StripPicture()
        self._frame = 0
        self._drawn: QPixmap | None = None

    def show_picture(self, picture: StripPicture) -> None:
        """Draw this from now on."""
        self.picture = picture
        self._drawn = None
        self.update()

    def look_at(self, frame: int) -> None:
        """Mark this frame."""
        before, self._frame = self._line(), frame
        if self._line() != before:
            self.update(QRegion(before) | QRegion(self._line()))

    def frame_at(self, x: float) -> int:
        """The frame at a place from left to right, in pixels; beyond the ends the first or last one."""
        assert self.picture.record is not None
        frames = len(self.picture.record)
        return min(max(int((x - _MARGIN) / self._width() * frames), 0), frames - 1)

    def x_of(self, frame: int) -> float:
        """Where the middle of a frame's column is, in pixels."""
        assert self.picture.record is not None
        return _MARGIN + (frame + 0.5) * self._width() / len(self.picture.record)

    # Qt's hooks

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(600, 72)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)  # which draws no more than what is to be drawn anew
        if self._drawn is None or self._drawn.deviceIndependentSize().toSize() != self.size():
            self._drawn = self._draw()
        painter.drawPixmap(0, 0, self._drawn)
        if self.picture.record is not None:
            line = self._line()
            painter.fillRect(line, QColor(0, 0, 0, 160))
            painter.fillRect(line.adjusted(1, 0, -1, 0), _PLAYHEAD)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._pick(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._pick(event)

    def event(self, event: QEvent) -> bool:
        if event.type() != QEvent.Type.ToolTip:
            return bool(super().event(event))
        if self.picture.record is not None:
            QToolTip.showText(event.globalPos(), self.frame_in_words(self.frame_at(event.pos().x())), self)
        return True

    def frame_in_words(self, frame: int) -> str:
        """All that is known of a frame, and what the colors mean, as rich text."""
        record = self.picture.record
        assert record is not None
        look = FrameMark(int(looks(record)[frame]))
        why = f": {escape(record.failures[frame])}" if look is FrameMark.FAILED and frame in record.failures else ""
        lines = [f"<b>Frame {frame}</b>: {STYLES[look].label}{why}"]
        lines += [self.readout(curve, frame) for curve in self.picture.curves]
        return "<br>".join([*lines, f"<small>{legend()}</small>"])

    def readout(self, curve: Curve, frame: int) -> str:
        """A curve's color, name and value at a frame, with its unit, as rich text."""
        value, unit = float(curve.values[frame]), ""
        name = CineRecord.PREDICTED_AREA if curve.name == CineRecord.AREA else curve.name  # whose it is
        if self.picture.record is not None and curve.name in CineRecord.AREAS:
            unit = f" {self.picture.record.area_unit}"
        number = "–" if np.isnan(value) else f"{value:,.0f}{unit}" if value >= 100 else f"{value:.3g}{unit}"
        return f'<span style="color: {curve.color}">■</span> {escape(name)} <b>{number}</b>'

    # Drawing

    def _line(self) -> QRect:
        """Where the frame in view is marked; nowhere where there is no record."""
        if self.picture.record is None:
            return QRect()
        at = round(self.x_of(min(self._frame, len(self.picture.record) - 1)))
        return QRect(at - 1, 0, 3, self.height())

    def _width(self) -> int:
        return max(1, self.width() - 2 * _MARGIN)

    def _pick(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton and self.picture.record is not None:
            self.picked.emit(self.frame_at(event.position().x()))

    def _draw(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(self.size() * ratio)
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(_BACKGROUND)
        painter = QPainter(pixmap)
        record = self.picture.record
        if record is not None:
            row = row_of_columns(looks(record), self._width(), _STATES_HEIGHT)
            image = QImage(row.data, self._width(), _STATES_HEIGHT, QImage.Format.Format_RGBA8888)
            painter.drawImage(_MARGIN, _MARGIN, image)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for curve in self.picture.curves:
                self._draw_curve(painter, curve)
        if self.picture.message:
            painter.setPen(_QUIET)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.picture.message)
        painter.end()
        return pixmap

    def _draw_curve(self, painter: QPainter, curve: Curve) -> None:
        pen = QPen(QColor(curve.color), 1)
        pen.setCosmetic(True)  # one pixel of any screen: Qt takes up to a hundred times as long for a wider line
        painter.setPen(pen)
        top, bottom = _MARGIN + _STATES_HEIGHT + 5, self.height() - _MARGIN
        x = _MARGIN + (np.arange(len(curve.values)) + 0.5) * self._width() / len(curve.values)
        y = bottom - curve.heights * (bottom - top)
        for run in runs(np.isfinite(curve.values)):
            points = [QPointF(*point) for point in zip(x[run].tolist(), y[run].tolist(), strict=True)]
            if len(points) == 1:
                painter.drawEllipse(points[0], 1.0, 1.0)
            else:
                painter.drawPolyline(QPolygonF(points))
