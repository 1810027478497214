"""The dialog that lists the keys."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QGridLayout, QLabel, QWidget

_TITLE = "SegCAM keys"
_MOST_ROWS = 20  # of one column, so that a small screen has room for all
_HINT = "The keys do nothing while you type in a field: click on the image first."


class KeyHelp(QDialog):
    """A table of keys and what they do."""

    def __init__(self, rows: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(_TITLE)
        layout = QGridLayout(self)
        layout.setHorizontalSpacing(16)
        height = -(-len(rows) // (1 if len(rows) <= _MOST_ROWS else 2))
        for number, (key, action) in enumerate(rows):
            name = QLabel(f"<b>{key}</b>")
            name.setAlignment(Qt.AlignmentFlag.AlignRight)
            column, row = divmod(number, height)
            layout.addWidget(name, row, 2 * column)
            layout.addWidget(QLabel(action), row, 2 * column + 1)
        hint = QLabel(_HINT)
        hint.setEnabled(False)
        layout.addWidget(hint, height, 0, 1, 4)
