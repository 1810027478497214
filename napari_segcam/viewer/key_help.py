"""The dialog that lists the keys."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QGridLayout, QLabel, QWidget

_TITLE = "SegCAM keys"
_HINT = "The keys do nothing while you type in a field: click on the image first."


class KeyHelp(QDialog):
    """A table of keys and what they do."""

    def __init__(self, rows: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(_TITLE)
        layout = QGridLayout(self)
        layout.setHorizontalSpacing(16)
        for row, (key, action) in enumerate(rows):
            name = QLabel(f"<b>{key}</b>")
            name.setAlignment(Qt.AlignmentFlag.AlignRight)
            layout.addWidget(name, row, 0)
            layout.addWidget(QLabel(action), row, 1)
        hint = QLabel(_HINT)
        hint.setEnabled(False)
        layout.addWidget(hint, len(rows), 0, 1, 2)
