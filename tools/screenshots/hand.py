"""A reader's hand in the window: real clicks and keys at what a step names, one step after the other."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import singledispatchmethod
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QKeySequence
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QMainWindow,
    QMenu,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from napari_segcam.viewer.napari_internals.canvas import canvas_of
from tools.screenshots.controls import (
    NotFoundError,
    Place,
    find_button,
    find_field,
    plain,
    reachable,
    stands_in,
    texts_on_screen,
)
from tools.screenshots.grammar import (
    Action,
    AnswerDialog,
    Check,
    Choose,
    Click,
    Drag,
    Drop,
    Menu,
    Press,
    See,
    Start,
    Type,
    Wait,
)
from tools.screenshots.ui_thread import UiThread

WINDOW = (1366, 768)  # the screen of a small laptop
PATIENCE = 900.0  # seconds until what a step waits for must be there
_SOON = 8.0  # seconds until what a step names must be there
_PAUSE = 0.25  # seconds after each action

_COPY = Qt.DropAction.CopyAction
_LEFT, _NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


class Hand:
    """Does what the steps of a tutorial ask for.

    Args:
        ui: the thread of the window.
        at: called with each place on the screen that the mouse goes to, for a recording.
    """

    def __init__(self, ui: UiThread, at: Callable[[QPoint], None] = lambda _: None) -> None:
        self.ui = ui
        self.viewer: Any = None
        self._at = at

    def do(self, action: Action) -> None:
        """Do one action as a reader would.

        Raises:
            NotFoundError: if what it names is not there.
        """
        self._do(action)
        time.sleep(_PAUSE)

    @singledispatchmethod
    def _do(self, action: Any) -> None:
        raise TypeError(type(action))

    @_do.register
    def _(self, _action: Start) -> None:
        def start() -> None:
            import napari

            QApplication.setCursorFlashTime(0)  # a blinking cursor is not the same in two pictures
            random.seed(0)  # of napari's tip of the day
            np.random.seed(0)  # noqa: NPY002
            self.viewer = napari.Viewer(title="napari")
            self.viewer.window.resize(*WINDOW)

        self.ui.ask(start)
        time.sleep(1)

    @_do.register
    def _(self, action: Menu) -> None:
        menu = self.ui.ask(lambda: self.window().menuBar())
        for text in action.path:
            place = self._soon(lambda text=text, menu=menu: _entry(menu, text))
            menu = self.ui.ask(lambda text=text, menu=menu: _action(menu, text).menu())
            self._click(place)

    @_do.register
    def _(self, action: Click) -> None:
        self._click(self._soon(lambda: find_button(action.text, action.dock)))

    @_do.register
    def _(self, action: Check) -> None:
        place = self._soon(lambda: find_button(action.text, action.dock))
        if not isinstance(place.widget, QCheckBox) and not place.widget.isCheckable():
            raise NotFoundError(f"“{action.text}” has nothing to check.")
        if self.ui.ask(place.widget.isChecked) == action.checked:
            raise NotFoundError(f"“{action.text}” is {'checked' if action.checked else 'unchecked'} already.")
        self._click(place)

    @_do.register
    def _(self, action: Choose) -> None:
        field = self._soon(lambda: find_field(action.label, QComboBox, action.dock))
        self._click(self.ui.ask(lambda: reachable(Place(field, field.rect().center()), action.label)))
        self._click(self._soon(lambda: _choice(field, action.text)))

    @_do.register
    def _(self, action: Type) -> None:
        kinds = (QAbstractSpinBox, QLineEdit, QPlainTextEdit, QTextEdit)
        field = self._soon(lambda: find_field(action.label, kinds, action.dock))
        self._click(self.ui.ask(lambda: reachable(Place(field, field.rect().center()), action.label)))

        def write() -> None:
            QTest.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
            QTest.keyClicks(field, action.text)
            if not isinstance(field, QPlainTextEdit | QTextEdit):
                QTest.keyClick(field, Qt.Key.Key_Return)

        self.ui.ask(write)

    @_do.register
    def _(self, action: Press) -> None:
        key = QKeySequence(action.keys)[0]
        for _ in range(action.times):
            self.ui.post(
                lambda: QTest.keyClick(QApplication.focusWidget() or self._canvas(), key.key(), key.keyboardModifiers())
            )
            time.sleep(_PAUSE)

    @_do.register
    def _(self, action: AnswerDialog) -> None:
        def name() -> QLineEdit:
            dialogs = [d for d in QApplication.topLevelWidgets() if isinstance(d, QFileDialog) and d.isVisible()]
            named = [d for d in dialogs if d.windowTitle() == action.title]
            if not named:
                raise NotFoundError(f"No dialog is called “{action.title}”, only {[d.windowTitle() for d in dialogs]}.")
            if named[0].fileMode() == QFileDialog.FileMode.Directory:
                Path(action.path).mkdir(exist_ok=True)  # with the dialog's own button for a new folder
            return named[0].findChild(QLineEdit, "fileNameEdit")

        field = self._soon(name)
        self.ui.ask(lambda: field.setText(action.path))
        self.ui.post(lambda: QTest.keyClick(field, Qt.Key.Key_Return))

    @_do.register
    def _(self, action: Drop) -> None:
        files = QMimeData()
        files.setUrls([QUrl.fromLocalFile(str(Path(path).resolve(strict=True))) for path in action.paths])

        def drop() -> None:
            window = self.window()
            place = window.rect().center()
            over = QDragEnterEvent(place, _COPY, files, _LEFT, _NONE)
            QApplication.sendEvent(window, over)
            if not over.isAccepted():
                raise NotFoundError(f"The window does not take {', '.join(action.paths)}.")
            QApplication.sendEvent(window, QDropEvent(QPointF(place), _COPY, files, _LEFT, _NONE))

        self.ui.ask(drop)

    @_do.register
    def _(self, action: Drag) -> None:
        points = [self.ui.ask(lambda place=place: self._on_canvas(*place)) for place in action.places]
        steps = [points[0]] if len(points) == 1 else _path(points)
        window = self.ui.ask(lambda: self.window().windowHandle())
        self._move(window, steps[0])
        self.ui.ask(lambda: QTest.mousePress(window, _LEFT, _NONE, window.mapFromGlobal(steps[0])))
        for point in steps[1:]:
            self._move(window, point)
        self.ui.ask(lambda: QTest.mouseRelease(window, _LEFT, _NONE, window.mapFromGlobal(steps[-1])))

    @_do.register
    def _(self, action: Wait) -> None:
        if self.ui.until(lambda: self.sees(action.text) == action.present, PATIENCE) is None:
            happen = "appear" if action.present else "go"
            raise NotFoundError(f"“{action.text}” did not {happen} within {PATIENCE:.0f} s. {self._shown()}")

    @_do.register
    def _(self, action: See) -> None:
        if self.ui.until(lambda: self.sees(action.text), _SOON) is None:
            raise NotFoundError(f"“{action.text}” is nowhere to be seen. {self._shown()}")

    def window(self) -> QMainWindow:
        """Return the window that was started."""
        return next(w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow) and w.isVisible())

    def _canvas(self) -> QWidget:
        canvas = canvas_of(self.viewer)
        if canvas is None:
            raise NotFoundError("The window has no canvas.")
        return canvas

    def sees(self, text: str) -> bool:
        """Return whether a text is in the window or on the canvas. Call it in the window's thread."""
        shown = [*texts_on_screen(), *self._canvas_texts()]
        return any(stands_in(text, words) for words in shown)

    def _canvas_texts(self) -> list[str]:
        overlays = [] if self.viewer is None else self.viewer.canvas.overlays.values()
        return [plain(words) for overlay in overlays if overlay.visible and (words := getattr(overlay, "text", ""))]

    def _shown(self) -> str:
        """Return what can be read instead."""
        texts = self.ui.ask(lambda: sorted({*texts_on_screen(), *self._canvas_texts()}))
        return f"The window says: {' | '.join(text for text in texts if text)}"

    def _soon(self, find: Callable[[], Any]) -> Any:
        """Return what is found within a few seconds; raise why nothing was."""
        end = time.monotonic() + _SOON
        while True:
            try:
                return self.ui.ask(find)
            except NotFoundError:
                if time.monotonic() > end:
                    raise
                time.sleep(_PAUSE)

    def _click(self, place: Place) -> None:
        point = self.ui.ask(place.on_screen)
        self._at(point)

        def click() -> None:
            window = place.widget.window().windowHandle()
            QTest.mouseClick(window, _LEFT, _NONE, window.mapFromGlobal(point))

        self.ui.post(click)
        time.sleep(_PAUSE)

    def _move(self, window: Any, point: QPoint) -> None:
        self._at(point)
        self.ui.ask(lambda: QTest.mouseMove(window, window.mapFromGlobal(point)))
        time.sleep(0.03)  # napari takes a move every few milliseconds

    def _on_canvas(self, row: int, column: int) -> QPoint:
        """Return where a pixel of the first image is on the screen.

        Raises:
            NotFoundError: if it is out of view.
        """
        image = next(layer for layer in self.viewer.layers if isinstance(layer, Image))
        steps = self.viewer.dims.current_step[: image.ndim - 2]
        world = np.asarray(image.data_to_world((*steps, row, column)))[-2:]
        camera = self.viewer.camera
        down, right = (world - np.asarray(camera.center)[-2:]) * camera.zoom
        native = self._canvas()
        point = QPoint(round(native.width() / 2 + right), round(native.height() / 2 + down))
        if not native.rect().contains(point):
            raise NotFoundError(f"Row {row}, column {column} of the image is out of view.")
        return native.mapToGlobal(point)


def _action(menu: QWidget, text: str) -> Any:
    """Return the entry of a menu with a text.

    Raises:
        NotFoundError: if it is not there, or disabled.
    """
    for entry in menu.actions():
        if plain(entry.text()) == text and entry.isVisible():
            if not entry.isEnabled():
                raise NotFoundError(f"“{text}” in the menu is disabled.")
            return entry
    raise NotFoundError(f"The menu has no “{text}”, only {[plain(entry.text()) for entry in menu.actions()]}.")


def _entry(menu: QWidget, text: str) -> Place:
    entry = _action(menu, text)
    if isinstance(menu, QMenu) and not menu.isVisible():
        raise NotFoundError(f"The menu of “{text}” is not open.")
    return Place(menu, menu.actionGeometry(entry).center())


def _choice(field: QComboBox, text: str) -> Place:
    """Return the entry of an open list.

    Raises:
        NotFoundError: if the list has no such entry, or is not open.
    """
    number = field.findText(text)
    if number < 0:
        raise NotFoundError(f"The list has no “{text}”, only {[field.itemText(i) for i in range(field.count())]}.")
    view = field.view()
    if not view.isVisible():
        raise NotFoundError(f"The list with “{text}” is not open.")
    index = field.model().index(number, field.modelColumn(), field.rootModelIndex())
    view.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)
    return Place(view.viewport(), view.visualRect(index).center())


def _path(points: list[QPoint], stride: int = 4) -> list[QPoint]:
    """Return the points of a line through points, a few pixels apart."""
    path = [points[0]]
    for start, end in pairwise(points):
        way = end - start
        count = max(1, round(max(abs(way.x()), abs(way.y())) / stride))
        path += [start + QPoint(round(way.x() * i / count), round(way.y() * i / count)) for i in range(1, count + 1)]
    return path
