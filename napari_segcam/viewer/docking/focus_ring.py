"""A ring around the control that the keyboard acts on: napari's style draws none."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QColor, QGuiApplication, QKeyEvent, QPainter, QPaintEvent, QPen, QWindow
from qtpy.QtWidgets import QApplication, QDialog, QDockWidget, QWidget

_TABS = (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
_LIGHT, _DARK = QColor("#ffffff"), QColor("#000000")  # one of them differs from any background
_WIDTH = 1.5  # pixels of each line


class FocusRing(QWidget):
    """Is drawn over a control as long as that has the focus, and lets the mouse through.

    Args:
        control: that has the focus.
    """

    def __init__(self, control: QWidget) -> None:
        super().__init__(control)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setGeometry(control.rect())
        control.installEventFilter(self)
        self.raise_()
        self.show()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.Resize and isinstance(watched, QWidget):
            self.setGeometry(watched.rect())
        return False

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        for color, inset in ((_LIGHT, _WIDTH / 2), (_DARK, 1.5 * _WIDTH)):
            painter.setPen(QPen(color, _WIDTH))
            painter.drawRect(self.rect().toRectF().adjusted(inset, inset, -inset, -inset))
        painter.end()


class FocusRings(QObject):
    """Shows the ring in this plugin's docks and dialogs while the Tab key moves the focus, until the mouse is used.

    Args:
        window: the main window; the rings end with it.
        titles: of the docks of this plugin.
    """

    def __init__(self, window: QWidget, titles: Collection[str]) -> None:
        super().__init__(window)
        self._titles = frozenset(titles)
        self._by_keyboard = False
        self._ring: FocusRing | None = None
        self._heard: QWindow | None = None
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._move)
        application.focusWindowChanged.connect(self._hear)
        self._hear(QGuiApplication.focusWindow())

    @classmethod
    def begin(cls, window: QWidget, titles: Collection[str]) -> None:
        """Show the ring from now on; once is enough."""
        if window.findChild(cls) is None:
            cls(window, titles)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and event.key() in _TABS:
            self._by_keyboard = True
        elif event.type() == QEvent.Type.MouseButtonPress:
            self._by_keyboard = False
            self._remove()
        return False

    def _hear(self, window: QWindow | None) -> None:
        """Hear the keys of the window that has them."""
        with suppress(RuntimeError):  # it is gone
            if self._heard is not None:
                self._heard.removeEventFilter(self)
        self._heard = window
        if window is not None:
            window.installEventFilter(self)

    def _move(self, _old: QWidget | None, new: QWidget | None) -> None:
        self._remove()
        if not self._by_keyboard or new is None:
            return
        place = _place_of(new)
        if isinstance(place, QDockWidget) and place.windowTitle() in self._titles:
            place.raise_()  # Tab also goes to docks that are behind another one
        elif not isinstance(place, QDialog) or not type(place).__module__.startswith("napari_segcam."):
            return
        self._ring = FocusRing(new)

    def _remove(self) -> None:
        ring, self._ring = self._ring, None
        if ring is not None:
            with suppress(RuntimeError):  # it is gone with its control
                ring.hide()
                ring.deleteLater()


def _place_of(control: QWidget) -> QWidget | None:
    """Return the dock or dialog that a control is in."""
    parent: QWidget | None = control
    while parent is not None and not isinstance(parent, QDockWidget | QDialog):
        parent = parent.parentWidget()
    return parent
