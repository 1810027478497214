"""The layout of the widgets: a form, a row, a column, a panel, and a line of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QResizeEvent, QShowEvent
from qtpy.QtWidgets import QBoxLayout, QFormLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget


class Line(QWidget):
    """One line of text with a fixed height: when its text changes, the window is not laid out again.

    Args:
        sample: text as high as any that will be shown; rich text if the texts will be.
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
        self._fit()  # a style sets the font when the widget is first shown

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        """Set the height to that of the sample in the current font."""
        text = self._label.text()
        self._label.ensurePolished()
        self._label.setText(self._sample)
        self.setFixedHeight(self._label.sizeHint().height())
        self._label.setText(text)

    def resizeEvent(self, _event: QResizeEvent) -> None:  # noqa: N802
        self._label.resize(self.size())

    def text(self) -> str:
        """Return the text shown."""
        return self._label.text()

    def set_text(self, text: str) -> None:
        """Show this text."""
        if text != self.text():
            self._label.setText(text)
            self._label.sizeHint()  # lays out rich text now: while painting, that would cause a second paint


def form(*rows: tuple[str, QWidget]) -> QFormLayout:
    """Return a form of labeled widgets that fits a narrow dock."""
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setVerticalSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    for label, widget in rows:
        layout.addRow(label, widget)
    return layout


def show_row(form: QFormLayout, widget: QWidget, visible: bool) -> None:
    """Show or hide a widget of a form with its label."""
    widget.setVisible(visible)
    label = form.labelForField(widget)
    if label is not None:
        label.setVisible(visible)


def row(*widgets: QWidget) -> QWidget:
    """Return a widget that holds these side by side."""
    return _box(QHBoxLayout(), widgets)


def column(*widgets: QWidget) -> QWidget:
    """Return a widget that holds these one below the other."""
    return _box(QVBoxLayout(), widgets)


def _box(layout: QBoxLayout, widgets: tuple[QWidget, ...]) -> QWidget:
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    box = QWidget()
    box.setLayout(layout)
    return box


def panel(widget: QWidget, *contents: Any) -> None:
    """Fill a dock widget from top to bottom with layouts and widgets."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(6, 4, 6, 4)
    layout.setSpacing(4)
    for content in contents:
        add: Callable[[Any], None] = layout.addWidget if isinstance(content, QWidget) else layout.addLayout
        add(content)
