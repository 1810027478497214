"""The layout of the widgets: a form, a row, a column, a panel, and a line of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel, QLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_segcam.viewer.widgets.fitting.fitted import Fitted
from napari_segcam.viewer.widgets.fitting.vertical_scroll import VerticalScroll
from napari_segcam.viewer.widgets.fitting.wrapping_row import WrappingRow


class Line(Fitted, QWidget):
    """One line of text with a fixed height: when its text changes, the window is not laid out again.

    Text that does not fit ends with an ellipsis, and the tooltip has all of it.

    Args:
        sample: text as high as any that will be shown; rich text if the texts will be.
        keeps_room: whether it is always as wide as the sample.
    """

    def __init__(self, sample: str = "0", *, keeps_room: bool = False) -> None:
        super().__init__()
        self._sample, self._keeps_room = sample, keeps_room
        self._parts: tuple[str, ...] = ("",)
        self._separator = self._tip = ""
        self._frame = 0  # pixels around plain text
        self._label = QLabel(self)
        self._is_rich = Qt.mightBeRichText(sample)
        self._label.setTextFormat(Qt.TextFormat.RichText if self._is_rich else Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.fit_font()

    def fit_font(self) -> None:
        """Set the height to that of the sample in the current font."""
        self._label.ensurePolished()
        self._label.setText(self._sample)
        size = self._label.sizeHint()
        self._frame = 0 if self._is_rich else size.width() - self._label.fontMetrics().horizontalAdvance(self._sample)
        self.setFixedHeight(size.height())
        if self._keeps_room:
            self.setMinimumWidth(size.width())
        self._show()

    def fit(self) -> None:
        """Show as much of the text as the line has room for."""
        self._label.resize(self.size())
        self._show()

    def text(self) -> str:
        """Return the whole text."""
        return self._separator.join(self._parts)

    def set_text(self, text: str) -> None:
        """Show this text."""
        self.set_parts((text,))

    def set_parts(self, parts: Sequence[str], separator: str = "") -> None:
        """Show a text of several parts, of rich text as many as fit."""
        if (tuple(parts), separator) != (self._parts, self._separator):
            self._parts, self._separator = tuple(parts), separator
            self._show()

    def setToolTip(self, tip: str) -> None:  # noqa: N802
        """Set the tooltip; it also has the whole text where that does not fit."""
        self._tip = tip
        self._show()

    def _show(self) -> None:
        whole, width = self.text(), self.width()
        shown = self._rich(width) if self._is_rich else self._plain(whole, width)
        if shown != self._label.text():
            self._label.setText(shown)
            self._label.sizeHint()  # lays out rich text now: while painting, that would cause a second paint
        tip = self._tip if shown == whole or whole in self._tip else "\n".join(filter(None, (whole, self._tip)))
        if tip != self.toolTip():
            super().setToolTip(tip)

    def _plain(self, whole: str, width: int) -> str:
        return self._label.fontMetrics().elidedText(whole, Qt.TextElideMode.ElideRight, width - self._frame)

    def _rich(self, width: int) -> str:
        """Return the parts that fit."""
        for count in range(len(self._parts), 0, -1):
            rest = [] if count == len(self._parts) else ["…"]
            shown = self._separator.join([*self._parts[:count], *rest])
            self._label.setText(shown)
            if self._label.sizeHint().width() <= width:
                return shown
        return shown


def form(*rows: tuple[str, QWidget]) -> QFormLayout:
    """Return a form of labeled widgets that fits a narrow dock."""
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setVerticalSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
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
    """Return a widget that holds these side by side, and where it is narrow in lines below each other."""
    return _box(WrappingRow(), widgets)


def column(*widgets: QWidget) -> QWidget:
    """Return a widget that holds these one below the other."""
    return _box(QVBoxLayout(), widgets)


def _box(layout: QLayout, widgets: tuple[QWidget, ...]) -> QWidget:
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    box = QWidget()
    box.setLayout(layout)
    return box


def scrolled_panel(widget: QWidget, *contents: Any) -> QVBoxLayout:
    """Fill a dock widget as ``panel`` does, in an area that scrolls where the dock is low; return its layout."""
    content = QWidget()
    panel(content, *contents)
    fill(widget, VerticalScroll(content))
    layout = content.layout()
    assert isinstance(layout, QVBoxLayout)
    return layout


def fill(widget: QWidget, content: QWidget) -> None:
    """Fill a widget with another one, without a margin."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(content)


def panel(widget: QWidget, *contents: Any) -> None:
    """Fill a dock widget from top to bottom with layouts and widgets."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(6, 4, 6, 4)
    layout.setSpacing(4)
    for content in contents:
        add: Callable[[Any], None] = layout.addWidget if isinstance(content, QWidget) else layout.addLayout
        add(content)
