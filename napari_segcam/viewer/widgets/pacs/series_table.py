"""The table of series that a search has found, with a small picture of each."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSize, QSortFilterProxyModel, Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHeaderView, QTableView, QWidget

from napari_segcam.viewer.pacs.pictures import SIDE, Pictures
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.widgets.fitting.text_table import TextTable

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.found import FoundSeries

_SORT_ROLE = Qt.ItemDataRole.UserRole
_ROW_HEIGHT = SIDE + 4
_SCROLLED_MS = 120


class Column(IntEnum):
    """Columns of the table."""

    PICTURE = 0
    PATIENT = 1
    DATE = 2
    DESCRIPTION = 3
    IMAGES = 4


_TITLES = ("", "Patient", "Date", "Description", "Images")


class SeriesModel(QAbstractTableModel):
    """One row a series."""

    def __init__(self, pictures: Pictures, parent: QObject) -> None:
        super().__init__(parent)
        self.rows: list[FoundSeries] = []
        self._pictures = pictures
        pictures.changed.connect(self._on_picture)

    def show(self, rows: Sequence[FoundSeries]) -> None:
        """Show these series."""
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def _on_picture(self, uid: str) -> None:
        for number, series in enumerate(self.rows):
            if series.series_uid == uid:
                index = self.index(number, Column.PICTURE)
                self.dataChanged.emit(index, index)

    # What Qt asks for

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        series, column = self.rows[index.row()], Column(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(series, column)
        if role == _SORT_ROLE:
            return _sort_value(series, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(series)
        if role == Qt.ItemDataRole.DecorationRole and column is Column.PICTURE:
            return self._pictures.pictures.get(series.series_uid)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (Column.PICTURE, Column.IMAGES):
            return Qt.AlignmentFlag.AlignCenter
        return None

    def _text(self, series: FoundSeries, column: Column) -> str:
        match column:
            case Column.PICTURE:
                return "" if series.series_uid in self._pictures.pictures else series.modality
            case Column.PATIENT:
                return _lines(series.patient_name, series.patient_id) or "unknown"
            case Column.DATE:
                return _lines(series.date, series.time)
            case Column.DESCRIPTION:
                return _lines(series.series_description, series.study_description) or series.modality
            case Column.IMAGES:
                return "?" if series.instances is None else str(series.instances)

    def _tip(self, series: FoundSeries) -> str:
        lines = [
            _lines(series.patient_name, series.patient_id),
            f"{series.modality} {series.date} {series.time}".strip(),
            _lines(series.series_description, series.study_description),
            self._pictures.reasons.get(series.series_uid, ""),
        ]
        return "\n".join(filter(None, lines))


class SeriesTable(TextTable, QTableView):
    """The table; ``chosen`` gives a series that is opened by a double click or Enter.

    Attributes:
        model_of_series: its rows, unsorted.
    """

    digits: ClassVar = {Column.PATIENT: 12, Column.DATE: 9, Column.IMAGES: 6}
    least_row = _ROW_HEIGHT

    chosen = Signal(object)
    current_changed = Signal()
    seen = Signal()  # other rows are in sight

    def __init__(self, pictures: Pictures, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model_of_series = SeriesModel(pictures, self)
        self.sorted = QSortFilterProxyModel(self)
        self.sorted.setSortRole(_SORT_ROLE)
        self.sorted.setSourceModel(self.model_of_series)
        self.setModel(self.sorted)
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setSortingEnabled(True)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setMinimumHeight(120)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setSortIndicator(Column.DATE, Qt.SortOrder.DescendingOrder)
        header.setSectionResizeMode(Column.DESCRIPTION, QHeaderView.ResizeMode.Stretch)
        self.setColumnWidth(Column.PICTURE, SIDE + 8)
        look = Throttle(self.seen.emit, self, _SCROLLED_MS).ask
        self.verticalScrollBar().valueChanged.connect(look)
        header.sortIndicatorChanged.connect(lambda *_: look())
        self._look = look
        self.activated.connect(lambda index: self.chosen.emit(self._series_at(index)))
        self.selectionModel().currentRowChanged.connect(lambda *_: self.current_changed.emit())

    def show_series(self, series: Sequence[FoundSeries]) -> None:
        """Show these series, none of them selected."""
        self.model_of_series.show(series)
        self.verticalScrollBar().setValue(0)
        self.current_changed.emit()
        self._look()

    @property
    def current(self) -> FoundSeries | None:
        """The selected series."""
        index = self.currentIndex()
        return self._series_at(index) if index.isValid() else None

    def in_sight(self) -> list[FoundSeries]:
        """Return the series whose rows are in sight, from the top."""
        rows = range(self.sorted.rowCount())
        height, row_height = self.viewport().height(), self.verticalHeader().defaultSectionSize()
        places = ((row, self.rowViewportPosition(row)) for row in rows)
        return [self._series_at(self.sorted.index(row, 0)) for row, y in places if -row_height < y < height]

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        self._look()

    def _series_at(self, index: QModelIndex) -> FoundSeries:
        return self.model_of_series.rows[self.sorted.mapToSource(index).row()]


def _lines(*texts: str) -> str:
    return "\n".join(filter(None, texts))


def _sort_value(series: FoundSeries, column: Column) -> Any:
    match column:
        case Column.PICTURE:
            return series.modality
        case Column.PATIENT:
            return f"{series.patient_name.casefold()} {series.patient_id}"
        case Column.DATE:
            return f"{series.date} {series.time}"
        case Column.DESCRIPTION:
            return _lines(series.series_description, series.study_description).casefold()
        case Column.IMAGES:
            return series.instances or 0
