"""The table of cases: a model that changes row by row, and a filter that sorts."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt
from qtpy.QtGui import QFont

from napari_segcam.review.readings import Reading
from napari_segcam.viewer.project.case_summary import HIDDEN, NOT_COMPUTED, CaseSummary

STATUS_WORDS = {"new": "○ new", "begun": "◐ begun", "done": "● done", "problem": "⚠ problem"}
_ORDER = list(STATUS_WORDS)
SORT_ROLE = Qt.ItemDataRole.UserRole
NO_VERDICT = "none"


class Column(IntEnum):
    """Columns of the table."""

    STATUS = 0
    NAME = 1
    FINDING = 2
    DOUBT = 3
    VERDICT = 4
    NOTE = 5


_TITLES = ("", "Case", "Finding", "Doubt", "Verdict", "✎")
_TIPS = (
    "○ new, ◐ begun, ● done, ⚠ problem",
    "",
    "Whether the network found anything, or in how many frames",
    "The highest doubt of the network in any frame; ! where it is doubtful",
    "Your verdict on the mask",
    "Where you wrote a note",
)


class CaseTable(QAbstractTableModel):
    """One row a reading, in the rater's order."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.rows: list[CaseSummary] = []
        self._current: Reading | None = None

    def show(self, rows: Sequence[CaseSummary]) -> None:
        """Show these rows; where the readings are the same as before, only rows that have changed are drawn again."""
        if [row.reading for row in rows] != [row.reading for row in self.rows]:
            self.beginResetModel()
            self.rows = list(rows)
            self.endResetModel()
            return
        for number, (before, after) in enumerate(zip(self.rows, rows, strict=True)):
            if before != after:
                self.rows[number] = after
                self._redraw(number)

    def mark(self, reading: Reading | None) -> None:
        """Print this reading in bold, as the one in view."""
        earlier, self._current = self._current, reading
        for number, row in enumerate(self.rows):
            if row.reading in (earlier, reading):
                self._redraw(number)

    def row_of(self, reading: Reading | None) -> int | None:
        """Return the row of a reading; None if it has none."""
        return next((number for number, row in enumerate(self.rows) if row.reading == reading), None)

    def _redraw(self, row: int) -> None:
        self.dataChanged.emit(self.index(row, 0), self.index(row, len(Column) - 1))

    # What Qt asks for

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(Column):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[section]
        return _TIPS[section] or None if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = self.rows[index.row()], Column(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(row, column)
        if role == SORT_ROLE:
            return _sort_value(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(row, column) or None
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (Column.STATUS, Column.NOTE):
            return Qt.AlignmentFlag.AlignCenter
        if role == Qt.ItemDataRole.FontRole and row.reading == self._current:
            font = QFont()
            font.setBold(True)
            return font
        return None


class CaseFilter(QSortFilterProxyModel):
    """Sorts the table, and leaves out what does not fit state, verdict and text.

    Attributes:
        status: the state that is listed; empty for all.
        verdict: the verdict that is listed; empty for all, ``"none"`` for those without one.
        text: that the name or a note must hold.
    """

    def __init__(self, table: CaseTable, parent: QObject) -> None:
        super().__init__(parent)
        self._table = table
        self.status = ""
        self.verdict = ""
        self.text = ""
        self.setSortRole(SORT_ROLE)
        self.setDynamicSortFilter(False)  # rows stay where they are while the rater works; the list sorts when asked
        self.setSourceModel(table)

    def choose(self, status: str, verdict: str, text: str) -> None:
        """List the rows that fit."""
        self.status, self.verdict, self.text = status, verdict, text.strip().casefold()
        self.invalidate()

    def readings(self) -> list[Reading]:
        """Return the listed readings, in the order of the list."""
        return [self._table.rows[self.mapToSource(self.index(row, 0)).row()].reading for row in range(self.rowCount())]

    def filterAcceptsRow(self, row: int, _parent: QModelIndex) -> bool:  # noqa: N802
        case = self._table.rows[row]
        if self.status and case.status != self.status:
            return False
        if self.verdict == NO_VERDICT and case.verdict:
            return False
        if self.verdict and self.verdict != NO_VERDICT and self.verdict not in case.verdict:
            return False
        return not self.text or self.text in case.name.casefold() or self.text in case.note.casefold()


def _text(row: CaseSummary, column: Column) -> str:
    match column:
        case Column.STATUS:
            return STATUS_WORDS[row.status][0]
        case Column.NAME:
            return row.name
        case Column.FINDING:
            return row.finding
        case Column.DOUBT:
            if row.finding == HIDDEN:
                return HIDDEN
            return NOT_COMPUTED if row.doubt is None else f"{row.doubt:.2f}{' !' * row.is_doubtful}"
        case Column.VERDICT:
            return row.verdict
        case Column.NOTE:
            return "✎" if row.note else ""


def _sort_value(row: CaseSummary, column: Column) -> Any:
    match column:
        case Column.STATUS:
            return _ORDER.index(row.status) * 1_000_000 + row.number
        case Column.NAME:
            return row.number  # the rater's order, which is that of the names unless it is shuffled
        case Column.FINDING:
            return row.finding_share
        case Column.DOUBT:
            return -1.0 if row.doubt is None else row.doubt
        case Column.VERDICT:
            return row.verdict
        case Column.NOTE:
            return not row.note


def _tip(row: CaseSummary, column: Column) -> str:
    if column is Column.NOTE:
        return row.note
    words = f"{row.number}. {row.name}, {row.status}"
    return f"{words}: {row.problem}" if row.status == "problem" else words
