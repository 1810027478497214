"""A part of a widget that is opened and closed by a click on its title."""

from __future__ import annotations

from qtpy.QtCore import QPointF, Qt, Signal
from qtpy.QtGui import QPainter, QPaintEvent, QPalette, QPolygonF
from qtpy.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

_STYLE = "QPushButton { text-align: left; border: none; background: transparent; padding: 4px 4px 4px 18px; }"
_ARROW = 4.0  # pixels from its middle to its tip


class Foldout(QWidget):
    """A title with an arrow, and below it what it opens; what is closed is not in the way of the Tab key.

    Args:
        title: what it holds.
    """

    toggled = Signal(bool)

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = _Title(title)
        self._content = QWidget()
        self._content.hide()
        inner = QVBoxLayout(self._content)
        inner.setContentsMargins(5, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._title)
        layout.addWidget(self._content)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self._title.toggled.connect(self._content.setVisible)
        self._title.toggled.connect(self.toggled)

    def addWidget(self, widget: QWidget) -> None:  # noqa: N802
        """Add a widget below the others."""
        self._content.layout().addWidget(widget)

    def toggleButton(self) -> QPushButton:  # noqa: N802
        """Return the title, which is a button."""
        return self._title

    def text(self) -> str:
        """Return the title's text."""
        return self._title.text()

    def setText(self, text: str) -> None:  # noqa: N802
        """Change the title's text."""
        self._title.setText(text)

    def isExpanded(self) -> bool:  # noqa: N802
        """Return whether it is open."""
        return self._title.isChecked()

    def expand(self) -> None:
        """Open it."""
        self._title.setChecked(True)

    def collapse(self) -> None:
        """Close it."""
        self._title.setChecked(False)


class _Title(QPushButton):
    """A flat button with an arrow that points down while it is open."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.setCheckable(True)
        self.setStyleSheet(_STYLE)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().color(QPalette.ColorRole.ButtonText))
        x, y = 9.0, self.height() / 2
        right = [QPointF(x - _ARROW / 2, y - _ARROW), QPointF(x + _ARROW / 2, y), QPointF(x - _ARROW / 2, y + _ARROW)]
        down = [QPointF(x - _ARROW, y - _ARROW / 2), QPointF(x + _ARROW, y - _ARROW / 2), QPointF(x, y + _ARROW / 2)]
        painter.drawPolygon(QPolygonF(down if self.isChecked() else right))
        painter.end()
