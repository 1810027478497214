"""The mosaic: a cell for each stage with frame, heat and mask; all cells zoom and pan together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QPointF, QRect, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from qtpy.QtWidgets import QWidget

from napari_segcam.viewer.comparison.cell_content import Picture, PictureReader, shown_stages
from napari_segcam.viewer.comparison.cells import Cell
from napari_segcam.viewer.drawing.cell_pixels import Window, window
from napari_segcam.viewer.layers.placement import MOVING_EVENTS
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_GAP = 3
_MOST_ZOOM = 30.0
_MOVED = {"data", *MOVING_EVENTS}  # events of a layer after which the cache of the reader is out of date
_BACKGROUND, _PLATE = QColor(0, 0, 0), QColor(0, 0, 0, 170)
_TEXT, _QUIET, _SHOWN = QColor(235, 238, 242), QColor(180, 186, 194), QColor(120, 170, 255)


class StageMosaic(QWidget):
    """Covers a widget with the stages of the session's image. It only reads the layers, at most twenty times a second.

    Attributes:
        picture: the picture on the screen; None if there are no heatmaps.
        zoom: 1 shows the whole frame.
        center: the point of the frame, in its pixels, that is in the middle of every cell.
    """

    chosen = Signal(str)
    emptied = Signal()

    def __init__(self, session: ReviewSession, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._session = session
        self._canvas = canvas
        self._reader = PictureReader(session)
        self._second = controller_of(session, SecondController)
        self._dragged_from: QPointF | None = None
        self.picture: Picture | None = None
        self.zoom = 1.0
        self.center = self._middle()
        self._throttle = Throttle(self.refresh, self)
        for changed in (session.record_changed, session.frame_changed):
            changed.connect(self._throttle.ask)
        session.image_changed.connect(self.emptied)
        for of_b in (self._second.arrived, self._second.changed):
            of_b.connect(self._throttle.ask)
        session.viewer.layers.events.connect(self._on_layer_event)
        canvas.installEventFilter(self)
        self.setAccessibleName("Stages side by side")
        self.setGeometry(canvas.rect())
        self._second.want_maps(True)
        self.refresh()
        self.show()

    def refresh(self) -> None:
        """Draw the layers as they are now; emit ``emptied`` if there are no heatmaps."""
        self.picture = None if self._session.image is None else self._reader.read(self.window_shown())
        if self.picture is None:
            self.emptied.emit()
        self.update()

    def end(self) -> None:
        """Uncover the canvas and delete the mosaic."""
        for changed in (self._session.record_changed, self._session.frame_changed):
            changed.disconnect(self._throttle.ask)
        self._session.image_changed.disconnect(self.emptied)
        for of_b in (self._second.arrived, self._second.changed):
            of_b.disconnect(self._throttle.ask)
        self._second.want_maps(False)
        self._session.viewer.layers.events.disconnect(self._on_layer_event)
        self._canvas.removeEventFilter(self)
        self._throttle.stop()
        self.hide()
        self.deleteLater()

    def cell_rects(self) -> list[QRect]:
        """Return the rectangles of the cells, as large as possible, in the order of the picture's cells."""
        count, networks = max(1, self._count()), 1 if self._second.second is None else 2
        proportion = self._extent()[1] / self._extent()[0]

        def frame_width(columns: int) -> float:
            return min(self.width() / columns, self.height() / (networks * math.ceil(count / columns)) * proportion)

        columns = max(range(1, count + 1), key=frame_width)
        width, height = self.width() // columns, self.height() // (networks * math.ceil(count / columns))
        return [  # the cell of B is below that of A
            QRect(
                index % columns * width,
                (index // columns * networks + network) * height,
                max(8, width - _GAP),
                max(8, height - _GAP),
            )
            for network in range(networks)
            for index in range(count)
        ]

    def window_shown(self) -> Window:
        """Return the part of the frame that every cell shows, one position for each pixel of the screen."""
        size, ratio = self.cell_rects()[0].size(), self.devicePixelRatioF()
        cell = (round(size.height() * ratio), round(size.width() * ratio))
        return window(self._shape(), self._spacing(), cell, self.zoom, self.center)

    # Qt's hooks

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.fillRect(self.rect(), _BACKGROUND)
        if self.picture is None:
            return
        frame = _image(self.picture.frame)
        outlines = [(mask.opacity, _image(mask.pixels)) for mask in self.picture.masks]
        for rect, cell in zip(self.cell_rects(), self.picture.cells, strict=False):
            painter.drawImage(rect, frame)
            if cell.heat is not None:
                painter.setOpacity(cell.heat.opacity)
                painter.drawImage(rect, _image(cell.heat.pixels))
            own = cell.own_mask
            for opacity, outline in outlines if own is None else [(own.opacity, _image(own.pixels))]:
                painter.setOpacity(opacity)
                painter.drawImage(rect, outline)
            painter.setOpacity(1)
            _draw_text(painter, rect, cell)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if watched is self._canvas and event.type() == QEvent.Type.Resize:
            self.setGeometry(self._canvas.rect())
            self._throttle.ask()
        return False

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        under_pointer = self._frame_point(event.position())
        self.zoom = min(max(self.zoom * 1.2 ** (event.angleDelta().y() / 120), 1.0), _MOST_ZOOM)
        self._move_by(under_pointer - self._frame_point(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._dragged_from = event.position()
        self._canvas.setFocus()  # the keys go to the canvas

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self._dragged_from is not None:
            window, dragged = self.window_shown(), event.position() - self._dragged_from
            steps = np.array([window.rows[1] - window.rows[0], window.columns[1] - window.columns[0]])
            self._move_by(-steps * self.devicePixelRatioF() * (dragged.y(), dragged.x()))
            self._dragged_from = event.position()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:  # noqa: N802
        self._dragged_from = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        index = self._cell_index(event.position())
        if index is not None and self.picture is not None:
            self.chosen.emit(self.picture.cells[index % self._count()].stage)  # below a stage of A is one of B

    # Geometry

    def _shape(self) -> tuple[int, int]:
        image = self._session.image
        assert image is not None
        rows, columns = image.data.shape[image.ndim - 2 : image.ndim]
        return int(rows), int(columns)

    def _spacing(self) -> tuple[float, float]:
        assert self._session.image is not None
        rows, columns = np.abs(self._session.image.scale[-2:])
        return float(rows), float(columns)

    def _extent(self) -> NDArray[np.float64]:
        return np.multiply(self._shape(), self._spacing())

    def _middle(self) -> tuple[float, float]:
        rows, columns = self._shape()
        return (rows - 1) / 2, (columns - 1) / 2

    def _count(self) -> int:
        return len(shown_stages(self._session))

    def _cell_index(self, position: QPointF) -> int | None:
        point = position.toPoint()
        return next((index for index, rect in enumerate(self.cell_rects()) if rect.contains(point)), None)

    def _frame_point(self, position: QPointF) -> NDArray[np.float64]:
        """Return the point of the frame, in its pixels, under a position in the widget."""
        window = self.window_shown()
        in_cell = position - QPointF(self.cell_rects()[self._cell_index(position) or 0].topLeft())
        row, column = (round(offset * self.devicePixelRatioF()) for offset in (in_cell.y(), in_cell.x()))
        row, column = min(max(row, 0), len(window.rows) - 1), min(max(column, 0), len(window.columns) - 1)
        return np.array([window.rows[row], window.columns[column]])

    def _move_by(self, distance: NDArray[np.float64]) -> None:
        """Move the center. It stays on the frame, and in its middle if the whole frame is shown."""
        row, column = np.clip(np.add(self.center, distance), 0, np.subtract(self._shape(), 1))
        self.center = self._middle() if self.zoom == 1 else (float(row), float(column))
        self._throttle.ask()

    def _on_layer_event(self, event: Any) -> None:
        if event.type in _MOVED:
            self._reader.forget()
        self._throttle.ask()


def _image(pixels: NDArray[np.uint8]) -> QImage:
    height, width = pixels.shape[:2]
    image = QImage(np.ascontiguousarray(pixels).data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)  # a copy, which is drawn faster


def _draw_text(painter: QPainter, rect: QRect, cell: Cell) -> None:
    """Write the name of the stage in the top left corner, and its figure in the bottom left one."""
    metrics = painter.fontMetrics()
    flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    height = metrics.height() + 2
    for text, top, color in (
        (cell.title, rect.top(), _TEXT),
        (cell.figure, rect.bottom() - height + 1, _QUIET),
    ):
        if text:
            plate = QRect(rect.left(), top, min(metrics.horizontalAdvance(text) + 8, rect.width()), height)
            painter.fillRect(plate, _PLATE)
            painter.setPen(color)
            painter.drawText(plate.adjusted(4, 0, -2, 0), flags, text)
    if cell.is_shown:
        painter.setPen(_SHOWN)
        painter.drawRect(rect.adjusted(0, 0, -1, -1))
