"""Texts and controls of a widget that cannot be read or reached in full."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QMainWindow,
    QScrollBar,
    QSizeGrip,
    QTabBar,
    QWidget,
)

from tests.viewer.text_room import Room, rooms

_TOLERANCE = 1  # pixels
_WHOLE = (QComboBox, QAbstractSpinBox, QLineEdit, QAbstractItemView, QTabBar, QAbstractSlider, QMainWindow)
_NO_CONTENT = (QScrollBar, QSizeGrip)


def cut_off(widget: QWidget) -> list[str]:
    """Return what cannot be read or reached in full in a widget that is shown; empty if nothing.

    * a text that is wider or higher than its place (for word-wrapped and rich text, as it is laid out), unless its
      tooltip has all of it;
    * a text or control that is outside of a widget around it. Below or above the view of a scroll area is fine, beside
      it is not;
    * a scroll area or list that must be scrolled sideways;
    * two neighbors that overlap.

    A row of tabs may be scrolled by its arrows. Not looked at: what a user has typed into a field, and what a
    widget paints by itself.
    """
    for _ in range(3):  # layouts ask for layouts
        QApplication.sendPostedEvents()
        QApplication.processEvents()
    faults = []
    for part in _parts(widget):
        faults += [_too_small(part, room) for room in rooms(part) if room.is_cut]
        if _has_content(part):
            faults += _outside(part, widget)
        if isinstance(part, QAbstractScrollArea) and _needs_sideways(part):
            faults.append(f"{_name(part)} must be scrolled sideways")
        faults += _overlaps(part)
    return list(dict.fromkeys(faults))


def _parts(widget: QWidget) -> Iterator[QWidget]:
    """Yield a widget and all that is shown in it, except what belongs to another window."""
    if not widget.isVisible() or widget.maximumHeight() == 0:  # superqt closes a part by its height
        return
    yield widget
    for child in widget.children():
        if isinstance(child, QWidget) and not child.isWindow() and not isinstance(child, _NO_CONTENT):
            yield from _parts(child)


def _has_content(part: QWidget) -> bool:
    """Whether a widget is a control or shows text."""
    if isinstance(part, QLabel):
        return bool(part.text())
    if isinstance(part.parentWidget(), (QComboBox, QAbstractSpinBox, QLineEdit, QTabBar, QAbstractItemView)):
        return False
    is_control = isinstance(part, (QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QAbstractSlider))
    return is_control or any(True for _ in rooms(part))


def _outside(part: QWidget, root: QWidget) -> Iterator[str]:
    """Yield in which widget around it a part is cut."""
    place = part.rect()
    inner = part
    while inner is not root and inner.parentWidget() is not None:
        outer = inner.parentWidget()
        place = QRect(inner.mapTo(outer, QPoint(place.left(), place.top())), place.size())
        room = outer.rect().adjusted(-_TOLERANCE, -_TOLERANCE, _TOLERANCE, _TOLERANCE)
        area = outer.parentWidget()
        is_view = isinstance(area, QAbstractScrollArea) and area.viewport() is outer
        if is_view and area.verticalScrollBarPolicy() != Qt.ScrollBarPolicy.ScrollBarAlwaysOff:
            place = QRect(place.left(), 0, place.width(), min(place.height(), outer.height()))
        if not room.contains(place):
            side = "beside" if place.left() < room.left() or place.right() > room.right() else "above or below"
            yield f"{_name(part)} is {side} the {outer.width()}×{outer.height()} of {_name(outer)}"
            return
        inner = outer


def _needs_sideways(area: QAbstractScrollArea) -> bool:
    return area.horizontalScrollBar().maximum() > area.horizontalScrollBar().minimum()


def _overlaps(parent: QWidget) -> Iterator[str]:
    """Yield the pairs of a widget's children that overlap."""
    if isinstance(parent, (*_WHOLE, QAbstractScrollArea)):
        return
    children = [
        child
        for child in parent.children()
        if isinstance(child, QWidget)
        and child.isVisible()
        and not child.isWindow()
        and not isinstance(child, _NO_CONTENT)
        and any(_has_content(part) for part in _parts(child))
    ]
    for first, second in combinations(children, 2):
        both = first.geometry().intersected(second.geometry())
        if both.width() > _TOLERANCE and both.height() > _TOLERANCE:
            yield f"{_name(first)} overlaps {_name(second)}"


def _too_small(part: QWidget, room: Room) -> str:
    sizes = [
        f"{word} {given} of {needed} px"
        for word, given, needed in (
            ("width", room.given.width(), room.needed.width()),
            ("height", room.given.height(), room.needed.height()),
        )
        if 0 <= given < needed
    ]
    return f'{type(part).__name__} "{_short(room.text)}" is cut: {", ".join(sizes)}'


def _name(widget: QWidget) -> str:
    text = next((room.text for room in rooms(widget)), "") or widget.objectName()
    return f'{type(widget).__name__} "{_short(text)}"' if text else type(widget).__name__


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:59]}…"
