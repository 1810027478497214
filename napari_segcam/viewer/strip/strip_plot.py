"""The plot of the cine strip: a row of marks, the curves below it, and a line at the current frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPointF, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF, QRegion
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_segcam.number_format import UNDEFINED, grouped
from napari_segcam.viewer.drawing.theme_colors import PLATE, QUIET_ON_PLATE
from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.review.finding_stepper import runs
from napari_segcam.viewer.strip.doubtful_row import DOUBTFUL_LEGEND, draw_doubtful
from napari_segcam.viewer.strip.frame_marks import STYLES, FrameMark, draw_marks, frame_marks, legend
from napari_segcam.viewer.strip.verdict_row import ROW_HEIGHT, draw_verdicts
from napari_segcam.viewer.strip.verdict_row import legend as verdict_legend

_CURRENT = QColor(255, 255, 255)
_MARKS_HEIGHT = 12
_MARGIN = 4
_VERDICTS_TOP = _MARGIN + _MARKS_HEIGHT + 6


@dataclass(frozen=True, eq=False)
class Curve:
    """One figure of every frame.

    Attributes:
        name: its name in the record.
        values: ``(T,)``, NaN if a frame has no value.
        heights: ``(T,)``, the values as shares of the plot's height.
        color: of the line.
        title: its name for the user, if that differs.
    """

    name: str
    values: NDArray[np.float64]
    heights: NDArray[np.float64]
    color: str
    title: str = ""


@dataclass(frozen=True, eq=False)
class VerdictRow:
    """The verdicts of the reader, where a review is open.

    Attributes:
        row: ``(T,)`` of ``FrameVerdict``.
        marked: the range for the next verdict, or None.
        words: returns what was decided about a frame.
    """

    row: NDArray[np.uint8]
    marked: tuple[int, int] | None
    words: Callable[[int], str]


@dataclass
class StripContent:
    """Content of the plot: the record, its chosen curves and verdicts, and a message if there is nothing to draw."""

    record: CineRecord | None = None
    curves: list[Curve] = field(default_factory=list)
    message: str = ""
    frame_name: Callable[[int], str] = "Frame {}".format
    verdicts: VerdictRow | None = None


class StripPlot(QWidget):
    """Plot of marks and curves; a click or a drag picks the frame under the pointer.

    Marks and curves are drawn into a pixmap when the content changes. Another frame redraws only the line.
    """

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumSize(120, 48)
        self.setAccessibleName("Cine strip")
        self.content = StripContent()
        self._frame = 0
        self._pixmap: QPixmap | None = None

    def show_content(self, content: StripContent) -> None:
        """Draw this content."""
        self.content = content
        self._pixmap = None
        self.update()

    def set_frame(self, frame: int) -> None:
        """Move the line to this frame."""
        old_line, self._frame = self._line(), frame
        if self._line() != old_line:
            self.update(QRegion(old_line) | QRegion(self._line()))

    def frame_at(self, x: float) -> int:
        """Return the frame at a horizontal position in pixels; beyond the ends, the first or last frame."""
        assert self.content.record is not None
        frames = len(self.content.record)
        return min(max(int((x - _MARGIN) / self._width() * frames), 0), frames - 1)

    def x_of(self, frame: int) -> float:
        """Return the horizontal position of the middle of a frame's column, in pixels."""
        assert self.content.record is not None
        return _MARGIN + (frame + 0.5) * self._width() / len(self.content.record)

    # Qt events

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(600, 72)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)  # it clips to the region to update
        if self._pixmap is None or self._pixmap.deviceIndependentSize().toSize() != self.size():
            self._pixmap = self._draw()
        painter.drawPixmap(0, 0, self._pixmap)
        if self.content.record is not None:
            line = self._line()
            painter.fillRect(line, QColor(0, 0, 0, 160))
            painter.fillRect(line.adjusted(1, 0, -1, 0), _CURRENT)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._pick(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._pick(event)

    def event(self, event: QEvent) -> bool:
        if event.type() != QEvent.Type.ToolTip:
            return bool(super().event(event))
        if self.content.record is not None:
            QToolTip.showText(event.globalPos(), self.tooltip(self.frame_at(event.pos().x())), self)
        return True

    def tooltip(self, frame: int) -> str:
        """Return the state and the values of a frame, and what the colors mean, as rich text."""
        record = self.content.record
        assert record is not None
        mark = FrameMark(int(frame_marks(record)[frame]))
        reason = f": {escape(record.failures[frame])}" if mark is FrameMark.FAILED and frame in record.failures else ""
        lines = [f"<b>{escape(self.content.frame_name(frame))}</b>: {STYLES[mark].label}{reason}"]
        lines += [self.readout(curve, frame) for curve in self.content.curves]
        if record.doubtful()[frame]:
            lines[0] += ", doubtful"
        verdicts = self.content.verdicts
        if verdicts is not None and (words := verdicts.words(frame)):
            lines.append(f"Verdict: {escape(words)}")
        legends = f"{legend()}&nbsp; {DOUBTFUL_LEGEND}" + (f"<br>{verdict_legend()}" if verdicts is not None else "")
        return "<br>".join([*lines, f"<small>{legends}</small>"])

    def readout(self, curve: Curve, frame: int) -> str:
        """Return the color, name and value of a curve at a frame, with its unit, as rich text."""
        value, unit = float(curve.values[frame]), ""
        name = CineRecord.PREDICTED_AREA if curve.name == CineRecord.AREA else curve.title or curve.name
        is_area = curve.name in (*CineRecord.AREAS, CineRecord.AREA_DIFFERENCE)
        if self.content.record is not None and is_area:
            unit = f" {self.content.record.area_unit}"
        number = UNDEFINED if np.isnan(value) else f"{_signed(value)}{unit}"
        return f'<span style="color: {curve.color}">■</span> {escape(name)} <b>{number}</b>'

    # Drawing

    def _line(self) -> QRect:
        """Return the line at the current frame; empty without a record."""
        if self.content.record is None:
            return QRect()
        x = round(self.x_of(min(self._frame, len(self.content.record) - 1)))
        return QRect(x - 1, 0, 3, self.height())

    def _width(self) -> int:
        return max(1, self.width() - 2 * _MARGIN)

    def _pick(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton and self.content.record is not None:
            self.picked.emit(self.frame_at(event.position().x()))

    def _draw(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(self.size() * ratio)
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(PLATE)
        painter = QPainter(pixmap)
        record = self.content.record
        if record is not None:
            row = draw_marks(frame_marks(record), self._width(), _MARKS_HEIGHT)
            image = QImage(row.data, self._width(), _MARKS_HEIGHT, QImage.Format.Format_RGBA8888)
            painter.drawImage(_MARGIN, _MARGIN, image)
            doubtful = draw_doubtful(record.doubtful(), self._width())
            image = QImage(doubtful.data, self._width(), len(doubtful), QImage.Format.Format_RGBA8888)
            painter.drawImage(_MARGIN, _MARGIN + _MARKS_HEIGHT + 1, image)
            if self.content.verdicts is not None:
                verdicts = self.content.verdicts
                draw_verdicts(painter, verdicts.row, verdicts.marked, _MARGIN, _VERDICTS_TOP, self._width())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for curve in self.content.curves:
                self._draw_curve(painter, curve)
        if self.content.message:
            painter.setPen(QUIET_ON_PLATE)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.content.message)
        painter.end()
        return pixmap

    def _draw_curve(self, painter: QPainter, curve: Curve) -> None:
        pen = QPen(QColor(curve.color), 1)
        pen.setCosmetic(True)  # one screen pixel: a wider line takes Qt up to a hundred times as long
        painter.setPen(pen)
        top, bottom = _VERDICTS_TOP, self.height() - _MARGIN
        if self.content.verdicts is not None:
            top += ROW_HEIGHT + 3
        x = _MARGIN + (np.arange(len(curve.values)) + 0.5) * self._width() / len(curve.values)
        y = bottom - curve.heights * (bottom - top)
        for run in runs(np.isfinite(curve.values)):
            points = [QPointF(*point) for point in zip(x[run].tolist(), y[run].tolist(), strict=True)]
            if len(points) == 1:
                painter.drawEllipse(points[0], 1.0, 1.0)
            else:
                painter.drawPolyline(QPolygonF(points))


def _signed(value: float) -> str:
    """Return a number, with a minus sign where it is negative."""
    return grouped(value) if value >= 0 else f"−{grouped(-value)}"
