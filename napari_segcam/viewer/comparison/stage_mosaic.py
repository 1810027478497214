"""The mosaic: a cell per stage with frame, heat and mask, all cells zoomed and panned together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QPointF, QRect, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from qtpy.QtWidgets import QWidget

from napari_segcam.viewer.comparison.cell_content import Cell, Picture, PictureReader, compared
from napari_segcam.viewer.drawing.cell_pixels import Window, window
from napari_segcam.viewer.responsiveness.throttle import Throttle

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_GAP = 3
_MOST_ZOOM = 30.0
_MOVED = {"data", "scale", "translate", "rotate", "shear", "affine"}  # the events of a layer that lies elsewhere now
_BACKGROUND, _PLATE = QColor(0, 0, 0), QColor(0, 0, 0, 170)
_TEXT, _QUIET, _SHOWN = QColor(235, 238, 242), QColor(180, 186, 194), QColor(120, 170, 255)


class StageMosaic(QWidget):
    """Covers a widget with the stages of the session's image. It only reads the layers, at most twenty times a second.

    Attributes:
        picture: what is drawn.
        zoom: 1 shows the whole frame.
        center: the place of the frame, in its pixels, that is in the middle of every cell.
    """

    chosen = Signal(str)
    emptied = Signal()

    def __init__(self, session: ReviewSession, over: QWidget) -> None:
        super().__init__(over)
        self._session = session
        self._over = over
        self._reader = PictureReader(session)
        self._dragged_from: QPointF | None = None
        self.picture: Picture | None = None
        self.zoom = 1.0
        self.center = self._middle()
        self._throttle = Throttle(self.refresh, self)
        for changed in (session.record_changed, session.frame_changed):
            changed.connect(self._throttle.ask)
        session.image_changed.connect(self.emptied)
        session.viewer.layers.events.connect(self._on_layer_event)
        over.installEventFilter(self)
        self.setAccessibleName("Stages side by side")
        self.setGeometry(over.rect())
        self.refresh()
        self.show()

    def refresh(self) -> None:
        """Draw the layers as they are now; a signal tells when there are no heatmaps any more."""
        self.picture = None if self._session.image is None else self._reader.read(self.seen())
        if self.picture is None:
            self.emptied.emit()
        self.update()

    def end(self) -> None:
        """Give the widget below free again."""
        for changed in (self._session.record_changed, self._session.frame_changed):
            changed.disconnect(self._throttle.ask)
        self._session.image_changed.disconnect(self.emptied)
        self._session.viewer.layers.events.disconnect(self._on_layer_event)
        self._over.removeEventFilter(self)
        self._throttle.stop()
        self.hide()
        self.deleteLater()

    def places(self) -> list[QRect]:
        """Where the cells are, as large as they can be, in the network's order."""
        count = max(1, self._count())
        proportion = self._extent()[1] / self._extent()[0]

        def width_of_picture(columns: int) -> float:
            return min(self.width() / columns, self.height() / math.ceil(count / columns) * proportion)

        columns = max(range(1, count + 1), key=width_of_picture)
        width, height = self.width() // columns, self.height() // math.ceil(count / columns)
        return [
            QRect(at % columns * width, at // columns * height, max(8, width - _GAP), max(8, height - _GAP))
            for at in range(count)
        ]

    def seen(self) -> Window:
        """What every cell shows of the frame, one place for each pixel of the screen."""
        size, ratio = self.places()[0].size(), self.devicePixelRatioF()
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
        for place, cell in zip(self.places(), self.picture.cells, strict=False):
            painter.drawImage(place, frame)
            if cell.heat is not None:
                painter.setOpacity(cell.heat.opacity)
                painter.drawImage(place, _image(cell.heat.pixels))
            for opacity, outline in outlines:
                painter.setOpacity(opacity)
                painter.drawImage(place, outline)
            painter.setOpacity(1)
            _write(painter, place, cell)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if watched is self._over and event.type() == QEvent.Type.Resize:
            self.setGeometry(self._over.rect())
            self._throttle.ask()
        return False

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        under_pointer = self._frame_place(event.position())
        self.zoom = min(max(self.zoom * 1.2 ** (event.angleDelta().y() / 120), 1.0), _MOST_ZOOM)
        self._move_by(under_pointer - self._frame_place(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._dragged_from = event.position()
        self._over.setFocus()  # the keys go to the canvas

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self._dragged_from is not None:
            seen, moved = self.seen(), event.position() - self._dragged_from
            steps = np.array([seen.rows[1] - seen.rows[0], seen.columns[1] - seen.columns[0]])
            self._move_by(-steps * self.devicePixelRatioF() * (moved.y(), moved.x()))
            self._dragged_from = event.position()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:  # noqa: N802
        self._dragged_from = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        at = self._cell_at(event.position())
        if at is not None and self.picture is not None:
            self.chosen.emit(self.picture.cells[at].stage)

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
        layers = self._session.layers()
        return 0 if layers is None else len(compared(layers.heatmaps))

    def _cell_at(self, position: QPointF) -> int | None:
        return next((at for at, place in enumerate(self.places()) if place.contains(position.toPoint())), None)

    def _frame_place(self, position: QPointF) -> NDArray[np.float64]:
        """The place of the frame, in its pixels, that lies under a place of the widget."""
        places, seen = self.places(), self.seen()
        inside = position - QPointF(places[self._cell_at(position) or 0].topLeft())
        row, column = (round(at * self.devicePixelRatioF()) for at in (inside.y(), inside.x()))
        return np.array(
            [seen.rows[min(max(row, 0), len(seen.rows) - 1)], seen.columns[min(max(column, 0), len(seen.columns) - 1)]]
        )

    def _move_by(self, distance: NDArray[np.float64]) -> None:
        """Move the center, which stays on the frame, and in its middle when all of it is seen."""
        wanted = np.clip(np.add(self.center, distance), 0, np.subtract(self._shape(), 1))
        self.center = self._middle() if self.zoom == 1 else (float(wanted[0]), float(wanted[1]))
        self._throttle.ask()

    def _on_layer_event(self, event: Any) -> None:
        if event.type in _MOVED:
            self._reader.forget()
        self._throttle.ask()


def _image(pixels: NDArray[np.uint8]) -> QImage:
    height, width = pixels.shape[:2]
    image = QImage(np.ascontiguousarray(pixels).data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)  # a copy, which is drawn faster


def _write(painter: QPainter, place: QRect, cell: Cell) -> None:
    """The stage's name in a corner, and its figure in the one below."""
    metrics = painter.fontMetrics()
    flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    height = metrics.height() + 2
    for text, top, color in (
        (cell.title, place.top(), _TEXT),
        (cell.figure, place.bottom() - height + 1, _QUIET),
    ):
        if text:
            plate = QRect(place.left(), top, min(metrics.horizontalAdvance(text) + 8, place.width()), height)
            painter.fillRect(plate, _PLATE)
            painter.setPen(color)
            painter.drawText(plate.adjusted(4, 0, -2, 0), flags, text)
    if cell.is_shown:
        painter.setPen(_SHOWN)
        painter.drawRect(place.adjusted(0, 0, -1, -1))
