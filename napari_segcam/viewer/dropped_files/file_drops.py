"""File drops: a file that is dropped anywhere in the window is opened, or refused in words."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QDragLeaveEvent, QDropEvent, QGuiApplication
from qtpy.QtWidgets import QApplication, QLineEdit, QWidget

from napari_segcam.viewer.dropped_files.given_files import is_ours, is_readable, open_files
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.napari_internals.replacement import private_attribute

_NAPARI_CHOICES = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier  # a stack; which reader


def open_in_window(viewer: ViewerModel, paths: Sequence[str], unknown: Callable[[str], object] | None = None) -> None:
    """Open files in a viewer's window, each as what it is; see ``open_files``."""
    window: Any = getattr(viewer, "window", None)
    open_by_napari = None if window is None else private_attribute(window, "_qt_viewer._qt_open")
    if open_by_napari is None:
        open_files(viewer, paths, lambda path: viewer.open([path]), unknown)
    else:
        open_files(viewer, paths, lambda path: open_by_napari([path], stack=False), unknown)


def accept_drag(widget: QWidget, event: QDropEvent) -> None:
    """Accept what is dragged over a widget if it is files, and let no text field of its window take them as text."""
    if _paths(event):
        _spare_fields(widget.window())
        event.acceptProposedAction()


def open_dropped(viewer: ViewerModel, event: QDropEvent, unknown: Callable[[str], object]) -> None:
    """Open the files that are dropped on a widget, after the drop has ended: a question would hold it.

    Args:
        viewer: with a window.
        event: the drop.
        unknown: takes a file that nobody knows by its name.
    """
    paths = _paths(event)
    event.acceptProposedAction()
    QTimer.singleShot(0, lambda: open_in_window(viewer, paths, unknown))


class FileDrops(QObject):
    """Opens files that are dropped on a dock, the layer list or anywhere else in a window.

    What is dropped on the canvas is left to napari if one reader takes it; several files may need several readers, and
    a file without any is refused in words.

    Args:
        viewer: with a window.
        parent: with which it ends.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = weakref.ref(viewer)
        canvas = canvas_of(viewer)
        if canvas is None:
            return
        window = canvas.window()
        window.setAcceptDrops(True)
        for widget in (window, *_targets(canvas)):
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        kind = event.type()
        if kind not in (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop):
            return False
        assert isinstance(event, QDropEvent)
        paths = _paths(event)
        if not paths or not isinstance(watched, QWidget):
            return False
        if kind != QEvent.Type.Drop:
            if not watched.isWindow():
                return False
            if kind == QEvent.Type.DragEnter:
                _spare_fields(watched)
            event.acceptProposedAction()
            return True
        if not watched.isWindow() and _is_for_napari(paths):
            return False
        event.acceptProposedAction()
        if not watched.isWindow():
            QApplication.sendEvent(watched, QDragLeaveEvent())  # it no longer shows that something is dragged over it
        QTimer.singleShot(0, lambda: self._open(paths))  # after the drop has ended: a question would hold it
        return True

    def _open(self, paths: Sequence[str]) -> None:
        viewer = self._viewer()
        if viewer is not None:
            open_in_window(viewer, paths)


def _spare_fields(window: QWidget) -> None:
    """Let no text field of a window take a file that is dropped on it as text."""
    for field in window.findChildren(QLineEdit):
        field.setAcceptDrops(False)


def _targets(canvas: QWidget) -> list[QWidget]:
    """Return the widgets at the canvas that take drops themselves: napari's view and its welcome page."""
    targets = [child for child in canvas.findChildren(QWidget) if child.acceptDrops()]
    parent = canvas.parentWidget()
    while parent is not None and not parent.isWindow():
        if parent.acceptDrops():
            targets.append(parent)
        parent = parent.parentWidget()
    return targets


def _is_for_napari(paths: Sequence[str]) -> bool:
    """Return whether napari's own way does the right thing."""
    if QGuiApplication.keyboardModifiers() & _NAPARI_CHOICES:
        return True
    if not all(map(is_readable, paths)):
        return False
    return len(paths) == 1 or not any(map(is_ours, paths))


def _paths(event: QDropEvent) -> list[str]:
    """Return what is dropped: paths of files, or addresses."""
    mime = event.mimeData()
    urls = mime.urls() if mime is not None and mime.hasUrls() else []
    return [str(Path(url.toLocalFile())) if url.isLocalFile() else url.toString() for url in urls]
