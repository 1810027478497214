"""Parts that several widgets are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QFormLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)


class Line(QWidget):
    """One line of text; whatever it says, nothing around it is laid out anew, as the whole window would be.

    Args:
        sample: as high as anything that it will say; rich text if that will be.
    """

    def __init__(self, sample: str = "0") -> None:
        super().__init__()
        self._sample = sample
        self._label = QLabel(self)
        rich = Qt.mightBeRichText(sample)
        self._label.setTextFormat(Qt.TextFormat.RichText if rich else Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        super().showEvent(event)
        self._fit()  # a style gives a widget its font when it is shown first

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        """Be as high as the sample is in the font as it is now."""
        words = self._label.text()
        self._label.ensurePolished()
        self._label.setText(self._sample)
        self.setFixedHeight(self._label.sizeHint().height())
        self._label.setText(words)

    def resizeEvent(self, _event: QResizeEvent) -> None:  # noqa: N802
        self._label.resize(self.size())

    def text(self) -> str:
        """What it says."""
        return self._label.text()

    def say(self, words: str) -> None:
        """Say something else."""
        if words != self.text():
            self._label.setText(words)
            self._label.sizeHint()  # lays rich text out, which while it is painted would have it painted once more


def form(*rows: tuple[str, QWidget]) -> QFormLayout:
    """A form of labeled widgets that fits a narrow dock."""
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setVerticalSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    for label, widget in rows:
        layout.addRow(label, widget)
    return layout


def panel(widget: QWidget, *contents: Any) -> None:
    """Fill a dock widget from top to bottom with layouts and widgets."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(6, 4, 6, 4)
    layout.setSpacing(4)
    for content in contents:
        add: Callable[[Any], None] = layout.addWidget if isinstance(content, QWidget) else layout.addLayout
        add(content)
