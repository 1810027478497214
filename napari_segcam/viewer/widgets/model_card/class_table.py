"""The classes of a network in a table: their names and colors."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import QColorDialog, QHeaderView, QTableWidget, QTableWidgetItem

from napari_segcam.viewer.widgets.fitting.text_table import TextTable

_NAME, _COLOR = range(2)
_VISIBLE_ROWS = 4  # more rows are scrolled to


class _Text:
    """Every text of the table."""

    COLUMNS = ("Class", "Color")
    COLOR_TIP = "Click to choose another color"
    NO_COLOR_TIP = "The background is not drawn"
    COLOR_TITLE = "Color of {name}"


class ClassTable(TextTable, QTableWidget):
    """One row per output channel; names are typed, colors are picked with a click."""

    renamed = Signal()
    recolored = Signal()

    def __init__(self) -> None:
        super().__init__(0, 2)
        self._names: tuple[str, ...] = ()
        self.setHorizontalHeaderLabels(list(_Text.COLUMNS))
        self.horizontalHeader().setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().hide()
        self.itemChanged.connect(self._on_item)
        self.cellClicked.connect(self._pick)

    def offer(self, names: Sequence[str], colors: Sequence[str], first_drawn: int) -> None:
        """Show these classes.

        Args:
            names: one per output channel.
            colors: one per output channel.
            first_drawn: index of the first class that is drawn; the background before it has no color.
        """
        self._names = tuple(names)
        with QSignalBlocker(self):
            self.setRowCount(len(names))
            for row, (name, color) in enumerate(zip(names, colors, strict=True)):
                self.setItem(row, _NAME, QTableWidgetItem(name))
                swatch = QTableWidgetItem()
                swatch.setBackground(QBrush(QColor(color)))
                swatch.setToolTip(_Text.COLOR_TIP if row >= first_drawn else _Text.NO_COLOR_TIP)
                swatch.setFlags(Qt.ItemFlag.ItemIsEnabled if row >= first_drawn else Qt.ItemFlag.NoItemFlags)
                self.setItem(row, _COLOR, swatch)
        self.fit_font()

    def fit_font(self) -> None:
        """Be as high as the rows in the present font, up to a few of them."""
        super().fit_font()
        visible_rows = min(self.rowCount(), _VISIBLE_ROWS)
        frame = 2 * self.frameWidth()
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + visible_rows * self.rowHeight(0) + frame)

    def rename(self, names: Sequence[str], colors: Sequence[str]) -> None:
        """Give the classes other names and, if there are any, other colors, as if the user had entered them."""
        for row, name in enumerate(names):
            self.item(row, _NAME).setText(name)
        for row, color in enumerate(colors):
            if self.item(row, _COLOR).flags() & Qt.ItemFlag.ItemIsEnabled:
                self.item(row, _COLOR).setBackground(QBrush(QColor(color)))
        if colors:
            self.recolored.emit()

    def names(self) -> tuple[str, ...]:
        """Return the names in the table."""
        return tuple(self.item(row, _NAME).text() for row in range(self.rowCount()))

    def colors(self) -> tuple[str, ...]:
        """Return the colors in the table, ``#rrggbb``."""
        return tuple(self.item(row, _COLOR).background().color().name() for row in range(self.rowCount()))

    def set_color(self, row: int, color: str) -> None:
        """Set the color of a class."""
        self.item(row, _COLOR).setBackground(QBrush(QColor(color)))
        self.recolored.emit()

    def _pick(self, row: int, column: int) -> None:
        swatch = self.item(row, column)
        if column != _COLOR or not swatch.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        color = QColorDialog.getColor(
            swatch.background().color(), self, _Text.COLOR_TITLE.format(name=self.names()[row])
        )
        if color.isValid():
            self.set_color(row, color.name())

    def _on_item(self, item: QTableWidgetItem) -> None:
        if item.column() != _NAME:
            return
        if not item.text().strip():
            with QSignalBlocker(self):
                item.setText(self._names[item.row()])
        self.renamed.emit()
