"""How much room the texts of a widget need, and how much they have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from qtpy.QtCore import QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QTextDocument, QTextOption
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QGroupBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListView,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QStyle,
    QStyleOptionButton,
    QStyleOptionComboBox,
    QStyleOptionFrame,
    QTabBar,
    QTableView,
    QTextEdit,
    QToolButton,
    QWidget,
)

_LARGE = 1 << 20
_LINE_EDIT_MARGIN = 2  # pixels that QLineEdit keeps free at each side


class Room(NamedTuple):
    """One text of a widget, the size that it needs and the size that it has, in pixels; −1 where it does not matter."""

    text: str
    needed: QSize
    given: QSize
    has_tip: bool = False

    @property
    def is_cut(self) -> bool:
        """Whether the text does not fit, and the whole of it is not in a tooltip either."""
        too_wide = 0 <= self.given.width() < self.needed.width()
        too_high = 0 <= self.given.height() < self.needed.height()
        return (too_wide or too_high) and not self.has_tip


def rooms(widget: QWidget) -> Iterator[Room]:
    """Yield each text that a widget draws itself, with its room.

    What a user has typed into a field is not among them, since a field scrolls as one types.
    """
    if isinstance(widget, QLabel):
        yield from _label(widget)
    elif isinstance(widget, QCheckBox | QRadioButton | QPushButton):
        yield from _button(widget)
    elif isinstance(widget, QToolButton):
        yield from _tool_button(widget)
    elif isinstance(widget, QComboBox):
        yield from _combo_box(widget)
    elif isinstance(widget, QAbstractSpinBox):
        yield _spin_box(widget)
    elif isinstance(widget, QLineEdit):
        yield from _line_edit(widget)
    elif isinstance(widget, QPlainTextEdit | QTextEdit):
        yield from _placeholder(widget)
    elif isinstance(widget, QTabBar):
        yield from _tabs(widget)
    elif isinstance(widget, QHeaderView):
        yield from _header(widget)
    elif isinstance(widget, QAbstractItemView):
        yield from _items(widget)
    elif isinstance(widget, QProgressBar):
        if widget.isTextVisible() and widget.text():
            yield _wide(widget, widget.text(), widget.contentsRect().width())
    elif isinstance(widget, QGroupBox) and widget.title():
        yield _wide(widget, widget.title(), widget.contentsRect().width())


def _wide(widget: QWidget, text: str, given: int) -> Room:
    """Return the room of one line of text that has this width."""
    width = widget.fontMetrics().size(int(Qt.TextFlag.TextShowMnemonic), text).width()
    return Room(text, QSize(width, -1), QSize(given, -1), _in_tip(text, widget.toolTip()))


def _in_tip(text: str, tip: Any) -> bool:
    return bool(text) and text.replace("&", "") in str(tip or "").replace("&", "")


# Labels


def _label(label: QLabel) -> Iterator[Room]:
    text = QLabel.text(label)  # what is drawn, where a subclass shortens its text
    if not text:
        return
    if not label.wordWrap():
        yield Room(text, label.sizeHint(), label.size(), _in_tip(text, label.toolTip()))
        return
    width = label.width()
    needed = QSize(width - label.contentsRect().width() + _widest_word(label), label.heightForWidth(width))
    yield Room(text, needed, label.size(), _in_tip(text, label.toolTip()))


def _is_rich(label: QLabel) -> bool:
    may_be = label.textFormat() == Qt.TextFormat.AutoText and Qt.mightBeRichText(QLabel.text(label))
    return label.textFormat() == Qt.TextFormat.RichText or may_be


def _widest_word(label: QLabel) -> int:
    """Return the width of the widest part of a text that cannot be broken."""
    metrics = label.fontMetrics()
    if not _is_rich(label):
        rectangle = QRect(0, 0, 1, _LARGE)
        return metrics.boundingRect(rectangle, int(Qt.TextFlag.TextWordWrap), QLabel.text(label)).width()
    document = QTextDocument()
    document.setDefaultFont(label.font())
    document.setDocumentMargin(0)
    option = document.defaultTextOption()
    option.setWrapMode(QTextOption.WrapMode.WordWrap)
    document.setDefaultTextOption(option)
    document.setHtml(QLabel.text(label))
    document.setTextWidth(1)
    return int(document.idealWidth())


# Buttons


def _button(button: QCheckBox | QRadioButton | QPushButton) -> Iterator[Room]:
    text = QAbstractButton.text(button)  # what is drawn, where a subclass breaks it into lines
    if not text:
        return
    option = QStyleOptionButton()
    option.initFrom(button)
    option.text, option.icon, option.iconSize = text, button.icon(), button.iconSize()
    elements = QStyle.SubElement
    element = {QCheckBox: elements.SE_CheckBoxContents, QRadioButton: elements.SE_RadioButtonContents}
    kind = next((element[kind] for kind in element if isinstance(button, kind)), elements.SE_PushButtonContents)
    given = button.style().subElementRect(kind, option, button).intersected(button.rect()).size()
    if not button.icon().isNull():
        given.setWidth(given.width() - button.iconSize().width() - 4)
    needed = button.fontMetrics().size(int(Qt.TextFlag.TextShowMnemonic), text)
    whole_height = QSize(given.width(), button.height())  # Qt draws the text over the padding, not cut by it
    yield Room(text, needed, whole_height, _in_tip(text, button.toolTip()))


def _tool_button(button: QToolButton) -> Iterator[Room]:
    shows_text = button.icon().isNull() or button.toolButtonStyle() != Qt.ToolButtonStyle.ToolButtonIconOnly
    text = button.text()
    if not text or not shows_text or button.arrowType() != Qt.ArrowType.NoArrow:
        return
    needed = button.fontMetrics().size(int(Qt.TextFlag.TextShowMnemonic), text)
    frame = max(0, button.sizeHint().width() - needed.width() - 4)  # the padding and a menu's arrow
    yield Room(text, needed, QSize(button.width() - frame, button.height()), _in_tip(text, button.toolTip()))


# Choices and fields


def _combo_box(box: QComboBox) -> Iterator[Room]:
    text = box.currentText()
    if not text or box.isEditable():
        return
    option = QStyleOptionComboBox()
    option.initFrom(box)
    option.currentText = text
    controls = QStyle.SubControl
    field = box.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, controls.SC_ComboBoxEditField, box)
    yield _wide(box, text, field.width())


def _spin_box(box: QAbstractSpinBox) -> Room:
    field = box.lineEdit()
    text = box.specialValueText() or box.text()
    return _wide(field, text, _field_width(field))


def _line_edit(field: QLineEdit) -> Iterator[Room]:
    if isinstance(field.parentWidget(), QAbstractSpinBox):
        return
    if not field.text() and field.placeholderText():
        room = _wide(field, field.placeholderText(), _field_width(field))
        yield room
    elif field.text() and field.isReadOnly():
        yield _wide(field, field.text(), _field_width(field))


def _field_width(field: QLineEdit) -> int:
    option = QStyleOptionFrame()
    option.initFrom(field)
    option.lineWidth = field.style().pixelMetric(QStyle.PixelMetric.PM_DefaultFrameWidth, option, field)
    inner = field.style().subElementRect(QStyle.SubElement.SE_LineEditContents, option, field)
    margins = field.textMargins()
    return inner.width() - margins.left() - margins.right() - 2 * _LINE_EDIT_MARGIN


def _placeholder(field: QPlainTextEdit | QTextEdit) -> Iterator[Room]:
    text = field.placeholderText()
    if not text or field.toPlainText():
        return
    view = field.viewport().size()
    margin = 2 * int(field.document().documentMargin())
    rectangle = QRect(0, 0, view.width() - margin, _LARGE)
    used = field.fontMetrics().boundingRect(rectangle, int(Qt.TextFlag.TextWordWrap), text)
    needed = QSize(used.width() + margin, used.height() + margin)
    yield Room(text, needed, view, _in_tip(text, field.toolTip()))


# Tabs, headers and items


def _tabs(bar: QTabBar) -> Iterator[Room]:
    """Yield the tabs that are cut; a row that scrolls by arrows shows each tab in full."""
    shows_all = bar.elideMode() == Qt.TextElideMode.ElideNone and bar.usesScrollButtons()
    for index in range(bar.count()):
        text = bar.tabText(index)
        if not bar.isTabVisible(index) or not text or shows_all:
            continue
        given = bar.tabRect(index).intersected(bar.rect()).width()
        yield Room(text, QSize(_tab_width(bar, index), -1), QSize(given, -1), _in_tip(text, bar.tabToolTip(index)))


def _tab_width(bar: QTabBar, index: int) -> int:
    """Return the width of a tab whose text is not cut, in the style of this row."""
    alone = QTabBar(bar.parentWidget())
    alone.setStyleSheet(bar.styleSheet())
    alone.setFont(bar.font())
    alone.setDocumentMode(bar.documentMode())
    alone.setElideMode(Qt.TextElideMode.ElideNone)
    alone.setExpanding(False)
    alone.addTab(bar.tabText(index))
    alone.ensurePolished()
    width = alone.sizeHint().width() - 2
    alone.setParent(None)
    alone.deleteLater()
    return width


def _header(header: QHeaderView) -> Iterator[Room]:
    model = header.model()
    if model is None or header.orientation() != Qt.Orientation.Horizontal:
        return
    for section in range(header.count()):
        text = model.headerData(section, header.orientation(), Qt.ItemDataRole.DisplayRole)
        if not text or header.isSectionHidden(section):
            continue
        tip = model.headerData(section, header.orientation(), Qt.ItemDataRole.ToolTipRole)
        needed = header.fontMetrics().horizontalAdvance(str(text)) + 4
        given = QSize(header.sectionSize(section), -1)
        yield Room(str(text), QSize(needed, -1), given, _in_tip(str(text), tip))


def _items(view: QAbstractItemView) -> Iterator[Room]:
    """Yield the items in sight that are drawn as text."""
    model = view.model()
    if model is None:
        return
    sight = view.viewport().rect()
    for row in range(model.rowCount(view.rootIndex())):
        for column in range(model.columnCount(view.rootIndex())):
            index = model.index(row, column, view.rootIndex())
            place = view.visualRect(index)
            if place.isEmpty() or not place.intersects(sight) or view.indexWidget(index) is not None:
                continue
            text = index.data(Qt.ItemDataRole.DisplayRole)
            if text is not None and str(text):
                yield _item(view, index, str(text), place)


def _item(view: QAbstractItemView, index: QModelIndex, text: str, place: QRect) -> Room:
    has_tip = _in_tip(text, index.data(Qt.ItemDataRole.ToolTipRole))
    wraps = isinstance(view, QTableView | QListView) and view.wordWrap()
    if isinstance(view, QListView) and view.viewMode() == QListView.ViewMode.IconMode:
        wraps = True
    needed = view.sizeHintForIndex(index)
    if wraps:
        width = max(1, place.width() - 6)
        flags = int(Qt.TextFlag.TextWordWrap)
        used = view.fontMetrics().boundingRect(QRect(0, 0, width, _LARGE), flags, text)
        return Room(text, QSize(used.width(), used.height()), QSize(width, place.height()), has_tip)
    return Room(text, QSize(needed.width(), needed.height()), place.size(), has_tip)
