"""The dialog that lists the keys."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDialog, QFrame, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

_TITLE = "SegCAM keys"
_MOST_ROWS = 20  # of one column, so that a small screen has room for all
_AROUND = QSize(40, 80)  # pixels of the screen that stay free
_GAPS = 50  # pixels beside and between the columns
_HINT = "The keys do nothing while you type in a field: click on the image first."


class KeyHelp(QDialog):
    """A table of keys and what they do."""

    def __init__(self, rows: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(_TITLE)
        table = QWidget()
        layout = QGridLayout(table)
        layout.setHorizontalSpacing(16)
        height = -(-len(rows) // (1 if len(rows) <= _MOST_ROWS else 2))
        for number, (key, action) in enumerate(rows):
            name = QLabel(f"<b>{key}</b>")
            name.setAlignment(Qt.AlignmentFlag.AlignRight)
            words = QLabel(action)
            words.setWordWrap(True)
            column, row = divmod(number, height)
            layout.addWidget(name, row, 2 * column)
            layout.addWidget(words, row, 2 * column + 1)
            layout.setColumnStretch(2 * column + 1, 1)
        hint = QLabel(_HINT)
        hint.setWordWrap(True)
        hint.setEnabled(False)
        layout.addWidget(hint, height, 0, 1, 4)
        self._table = QScrollArea()
        self._table.setFrameShape(QFrame.Shape.NoFrame)
        self._table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._table.setWidgetResizable(True)
        self._table.setWidget(table)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._table)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Take the room that the table needs in the present font, as far as the screen has it."""
        super().showEvent(event)
        table, screen = self._table.widget(), self.screen().availableSize() - _AROUND
        lines = [label.fontMetrics().horizontalAdvance(label.text()) for label in table.findChildren(QLabel)]
        columns = 1 if len(lines) <= 2 * _MOST_ROWS else 2
        width = min(screen.width(), columns * (max(lines[1:-1:2]) + max(lines[:-1:2]) + _GAPS))
        self._table.setMinimumWidth(
            table.minimumSizeHint().width() + self._table.verticalScrollBar().sizeHint().width()
        )
        self.resize(width, min(screen.height(), table.heightForWidth(width)))
