"""Find what a tutorial names in the window: by its text, as a reader does, and only if it can be seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape

from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QDockWidget,
    QFormLayout,
    QGroupBox,
    QHeaderView,
    QLabel,
    QLayout,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QProgressBar,
    QScrollArea,
    QTabBar,
    QTextEdit,
    QWidget,
)

_WITH_TEXT = (QAbstractButton, QLabel, QLineEdit, QProgressBar)


class NotFoundError(Exception):
    """Something that a tutorial names is not in the window, or cannot be clicked."""


@dataclass(frozen=True)
class Place:
    """A point to click on: a widget and a position in it."""

    widget: QWidget
    point: QPoint

    def on_screen(self) -> QPoint:
        return self.widget.mapToGlobal(self.point)


def find_button(text: str, dock: str = "") -> Place:
    """Return the middle of the button, tab or list row with a text.

    Raises:
        NotFoundError: if nothing that is visible has this text, several things have it, or it cannot be clicked.
    """
    places = [*_buttons(text, dock), *(() if dock else _tabs(text))] or [*_rows(text, dock)]
    if not places:
        others = ", ".join(_button_texts(dock))
        raise NotFoundError(f"Nothing in the window is called “{text}”{_in(dock)}. It has: {others}")
    if len(places) > 1:
        raise NotFoundError(f"{len(places)} things in the window are called “{text}”: say in which dock.")
    return reachable(places[0], text)


def find_field(label: str, kind: type[QWidget] | tuple[type[QWidget], ...], dock: str = "") -> QWidget:
    """Return the visible widget of a kind that belongs to a label, or is named by its own placeholder or tooltip.

    Raises:
        NotFoundError: if there is none, or there are several.
    """
    found: list[QWidget] = []
    for root in _roots(dock):
        for shown in _visible(root, QLabel):
            if plain(shown.text()).rstrip(":") == label:
                field = shown.buddy() or _beside(shown)
                found += [part for part in _self_and_parts(field) if isinstance(part, kind)][:1]
        for field in _visible(root, QWidget):
            if isinstance(field, kind) and label in (_placeholder(field), field.accessibleName()):
                found.append(field)
    unique = list({id(field): field for field in found}.values())
    if len(unique) != 1:
        raise NotFoundError(f"{len(unique)} fields in the window are called “{label}”{_in(dock)}.")
    return unique[0]


def reachable(place: Place, text: str) -> Place:
    """Scroll a place into view and return it.

    Raises:
        NotFoundError: if it is disabled, or something else is drawn over it.
    """
    widget = place.widget
    if not widget.isEnabled():
        raise NotFoundError(f"“{text}” is disabled: {widget.toolTip() or 'its tooltip does not say why'}")
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            parent.ensureWidgetVisible(widget)
        parent = parent.parentWidget()
    hit = QApplication.widgetAt(place.on_screen())
    if hit is not widget and not (hit and widget.isAncestorOf(hit)):
        raise NotFoundError(
            f"“{text}” cannot be clicked: {hit.__class__.__name__} is drawn over it, or it is off the window."
        )
    return place


def stands_in(text: str, shown: str) -> bool:
    """Return whether a text is a part of a text on the screen. Words in capitals stand for something that varies."""
    return text in shown or ((general := _general(text)) is not None and general.search(shown) is not None)


def is_called(text: str, shown: str) -> bool:
    """Return whether a text is all that is shown. Words in capitals stand for something that varies."""
    return text == shown or ((general := _general(text)) is not None and general.fullmatch(shown) is not None)


def _general(text: str) -> re.Pattern[str] | None:
    """Return a pattern of a text that has words in capitals."""
    pattern = re.sub(r"\b[A-Z]{2,}\b", ".+", re.escape(text))
    return None if pattern == re.escape(text) else re.compile(pattern)


def texts_on_screen() -> Iterator[str]:
    """Yield every text that can be read on the screen, each without markup and line breaks."""
    modal = QApplication.activeModalWidget()
    for widget in QApplication.allWidgets():
        if not widget.isVisible() or (modal is not None and widget.window() is not modal):
            continue
        if isinstance(widget, QHeaderView | QMenu):
            continue
        if isinstance(widget, QAbstractItemView):
            yield from (text for text, _ in _items(widget))
        elif isinstance(widget, QTabBar):
            yield from (widget.tabText(i) for i in range(widget.count()))
        elif isinstance(widget, QComboBox):
            yield widget.currentText()
        elif isinstance(widget, QPlainTextEdit | QTextEdit):
            yield " ".join(widget.toPlainText().split())
        elif isinstance(widget, QGroupBox):
            yield widget.title()
        elif isinstance(widget, _WITH_TEXT) and not widget.visibleRegion().isEmpty():
            yield plain(widget.text())


def plain(text: str) -> str:
    """Return a text without markup, mnemonics and line breaks."""
    if "<" in text:
        text = unescape(re.sub(r"<[^>]*>", " ", text))
    return " ".join(re.sub(r"&(?!&)", "", text).replace("\xa0", " ").split())


def _roots(dock: str) -> list[QWidget]:
    """Return the windows and popups that are open; with the title of a dock, this dock.

    A modal dialog hides the rest.
    """
    modal = QApplication.activeModalWidget()
    windows = [modal] if modal is not None else [w for w in QApplication.topLevelWidgets() if w.isVisible()]
    if not dock:
        return windows
    docks = [part for window in windows for part in window.findChildren(QDockWidget) if part.isVisible()]
    named = [part for part in docks if part.windowTitle() in (dock, f"{dock} (SegCAM)")]
    if not named:
        raise NotFoundError(f"No dock in the window is called “{dock}”.")
    return list(named)


def _visible(root: QWidget, kind: type[QWidget]) -> Iterator[QWidget]:
    """Yield the parts of a window of a kind that are not hidden, nor behind another tab."""
    for part in _self_and_parts(root):
        if isinstance(part, kind) and part.isVisible() and not part.visibleRegion().isEmpty():
            yield part


def _self_and_parts(widget: QWidget | QLayout | None) -> list[QWidget]:
    if widget is None:
        return []
    if isinstance(widget, QLayout):
        items = [widget.itemAt(i) for i in range(widget.count())]
        return [part for item in items for part in _self_and_parts(item.widget() or item.layout())]
    return [widget, *(part for part in widget.findChildren(QWidget) if part.window() is widget.window())]


def _buttons(text: str, dock: str) -> Iterator[Place]:
    for root in _roots(dock):
        for button in _visible_in_scroll(root, QAbstractButton):
            if text in (plain(button.text()), button.accessibleName()) and not isinstance(button.parent(), QTabBar):
                yield Place(button, _middle(button))


def _visible_in_scroll(root: QWidget, kind: type[QWidget]) -> Iterator[QWidget]:
    """Yield parts that are visible, or would be after scrolling."""
    for part in _self_and_parts(root):
        if isinstance(part, kind) and part.isVisible() and (_scrolls(part) or not part.visibleRegion().isEmpty()):
            yield part


def _scrolls(widget: QWidget) -> bool:
    """Whether a widget is in a scroll area that is itself in view."""
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea) and not parent.visibleRegion().isEmpty():
            return True
        parent = parent.parentWidget()
    return False


def _middle(button: QAbstractButton) -> QPoint:
    """Return the point to click: the middle, or of a check box, whose text may be shorter than the dock, its start."""
    rect = button.rect()
    return (
        QPoint(min(rect.center().x(), 12), rect.center().y())
        if button.isCheckable() and _is_box(button)
        else rect.center()
    )


def _is_box(button: QAbstractButton) -> bool:
    return button.__class__.__name__ in ("QCheckBox", "QRadioButton")


def _tabs(text: str) -> Iterator[Place]:
    for root in _roots(""):
        for bar in _visible(root, QTabBar):
            for i in range(bar.count()):
                if bar.tabText(i).removesuffix(" (SegCAM)") == text.removesuffix(" (SegCAM)"):
                    yield Place(bar, bar.tabRect(i).center())


def _rows(text: str, dock: str) -> Iterator[Place]:
    for root in _roots(dock):
        for view in _visible(root, QAbstractItemView):
            for shown, index in [] if isinstance(view, QHeaderView) else _items(view):
                if is_called(text, shown):
                    view.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)
                    yield Place(view.viewport(), view.visualRect(index).center())


def _items(view: QAbstractItemView) -> Iterator[tuple[str, object]]:
    """Yield the texts of a list, table or tree with their places, without what is folded away."""
    model = view.model()
    if model is None:
        return
    for row in range(model.rowCount(view.rootIndex())):
        for column in range(model.columnCount(view.rootIndex())):
            index = model.index(row, column, view.rootIndex())
            yield plain(str(index.data(Qt.ItemDataRole.DisplayRole) or "")), index


def _beside(label: QLabel) -> QWidget | None:
    """Return what a layout shows beside a label: the field of its row, or what follows it in a line."""
    parent = label.parentWidget()
    for layout in [] if parent is None else parent.findChildren(QLayout):
        if isinstance(layout, QFormLayout) and layout.indexOf(label) >= 0:
            row, _ = layout.getWidgetPosition(label)
            item = layout.itemAt(row, QFormLayout.ItemRole.FieldRole)
            return item.widget() or item.layout() if item else None
        position = layout.indexOf(label)
        if 0 <= position < layout.count() - 1:
            item = layout.itemAt(position + 1)
            return item.widget() or item.layout()
    return _right_of(label)


def _right_of(label: QLabel) -> QWidget | None:
    """Return the nearest widget to the right of a label, on its height."""
    line = QRect(label.mapToGlobal(QPoint(0, 0)), label.size())
    parent = label.parentWidget()
    fields = [] if parent is None else [part for part in parent.children() if isinstance(part, QWidget)]
    right = [
        (field.mapToGlobal(QPoint(0, 0)).x(), i, field)
        for i, field in enumerate(fields)
        if field.isVisible()
        and field.mapToGlobal(QPoint(0, 0)).x() >= line.right()
        and abs(field.mapToGlobal(field.rect().center()).y() - line.center().y()) < line.height()
    ]
    return min(right)[2] if right else None


def _placeholder(field: QWidget) -> str:
    return field.placeholderText() if isinstance(field, QLineEdit | QPlainTextEdit | QTextEdit) else ""


def _button_texts(dock: str) -> Iterable[str]:
    texts = {plain(b.text()) for root in _roots(dock) for b in _visible(root, QAbstractButton)}
    return sorted(text for text in texts if text)


def _in(dock: str) -> str:
    return f" in “{dock}”" if dock else ""
