"""The dialog of a problem's report: it is read first, then copied or saved. Nothing is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import (
    QApplication,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from napari_segcam.viewer.widgets.fitting.fitted_dialog import FittedDialog


class _Text:
    """Every text of the dialog."""

    TITLE = "Report a problem"
    HINT = (
        "Read this, add what happened, and paste it into an issue. It holds no image and no name of a file or a "
        "patient. Nothing is sent."
    )
    COLLECTING = "Collecting …"
    COPY = "Copy"
    COPIED = "Copied"
    SAVE = "Save …"
    FILES = "Markdown (*.md)"
    NAME = "problem.md"


class ProblemDialog(FittedDialog):
    """Shows a report once it is there.

    Args:
        save: writes the report to a file; it is called with the path and the text.
        parent: the window.
    """

    def __init__(self, save: Callable[[Path, str], object], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._save = save
        self.setWindowTitle(_Text.TITLE)
        self.hint = QLabel(_Text.HINT)
        self.hint.setWordWrap(True)
        self.hint.setMinimumWidth(1)
        self.text = QPlainTextEdit()
        self.text.setPlaceholderText(_Text.COLLECTING)
        self.text.setTabChangesFocus(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy = self.buttons.addButton(_Text.COPY, QDialogButtonBox.ButtonRole.ActionRole)
        self.save = self.buttons.addButton(_Text.SAVE, QDialogButtonBox.ButtonRole.ActionRole)
        self.buttons.rejected.connect(self.reject)
        self.copy.clicked.connect(self._copy)
        self.save.clicked.connect(self._browse)
        layout = QVBoxLayout(self)
        layout.addWidget(self.hint)
        layout.addWidget(self.text)
        layout.addWidget(self.buttons)
        self.resize(640, 520)
        self._enable(False)

    def show_report(self, text: str) -> None:
        """Show the report, which the user may edit."""
        self.text.setPlainText(text)
        self._enable(True)

    def _enable(self, is_there: bool) -> None:
        for button in (self.copy, self.save):
            button.setEnabled(is_there)

    def _copy(self) -> None:
        QApplication.clipboard().setText(self.text.toPlainText())
        self.copy.setText(_Text.COPIED)

    def _browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, _Text.TITLE, _Text.NAME, _Text.FILES)
        if path:
            self._save(Path(path), self.text.toPlainText())
