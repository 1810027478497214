"""The note: a field of a few lines that is kept when the reader leaves it or pauses."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QFocusEvent, QKeyEvent
from qtpy.QtWidgets import QPlainTextEdit

from napari_segcam.viewer.widgets.fitting.fitted import Fitted

_PAUSE_MS = 400
_LINES = 2
_STYLE = "QPlainTextEdit { border: 1px solid rgba(128, 128, 128, 0.7); border-radius: 2px; }"  # napari has none


class NoteField(Fitted, QPlainTextEdit):
    """Emits ``written`` after a pause, and ``left`` when the reader is done (Esc or Ctrl+Enter)."""

    written = Signal(str)
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        self.setStyleSheet(_STYLE)
        self._kept = ""
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._pause.timeout.connect(self.keep)
        self.textChanged.connect(self._pause.start)
        self.fit()

    def show_note(self, text: str) -> None:
        """Show a note; one that is being written stays until it is kept."""
        if self._pause.isActive():
            return
        self._kept = text
        if self.toPlainText().strip() != text:
            self.setPlainText(text)
            self._pause.stop()

    def keep(self) -> None:
        """Emit what was written since the last time."""
        self._pause.stop()
        text = self.toPlainText().strip()
        if text != self._kept:
            self._kept = text
            self.written.emit(text)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        self.keep()
        super().focusOutEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        is_done = is_enter and bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if event.key() == Qt.Key.Key_Escape or is_done:
            self.keep()
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def fit(self) -> None:
        """Be as high as a note of a few lines."""
        self.setFixedHeight(_LINES * self.fontMetrics().lineSpacing() + 12)
