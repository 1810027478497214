"""Pictures of the window: taken when nothing moves, and kept small."""

from __future__ import annotations

import io
import time
from pathlib import Path

from PIL import Image
from qtpy.QtCore import QBuffer, QIODevice
from qtpy.QtWidgets import QApplication, QDockWidget, QWidget

from tools.screenshots.controls import NotFoundError
from tools.screenshots.ui_thread import UiThread

LARGEST = 250_000  # bytes of a picture
_COLORS = (256, 128, 64)
_REST_SECONDS = 0.6  # how long nothing has moved before a picture is taken
_PATIENCE = 120.0


def at_rest(ui: UiThread, window: QWidget) -> Image.Image:
    """Return a picture of a window and what is over it, once two in a row are equal and no message is about to vanish.

    Raises:
        NotFoundError: if the window never rests.
    """
    end = time.monotonic() + _PATIENCE
    before = None
    while time.monotonic() < end:
        picture = None if ui.ask(_has_message) else ui.ask(lambda: grab(window))
        if picture is not None and before is not None and picture.tobytes() == before.tobytes():
            return picture
        before = picture
        time.sleep(_REST_SECONDS)
    raise NotFoundError("The window does not come to rest: it cannot be drawn twice in the same way.")


def grab(window: QWidget) -> Image.Image:
    """Return what the screen shows of a window, menus and dialogs over it included, as it is now."""
    frame = window.geometry()
    shot = QApplication.primaryScreen().grabWindow(0, frame.x(), frame.y(), frame.width(), frame.height())
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    shot.save(buffer, "BMP")
    return Image.open(io.BytesIO(bytes(buffer.data()))).convert("RGB")


def of_dock(picture: Image.Image, window: QWidget, title: str) -> Image.Image:
    """Return the part of a window's picture that shows a dock.

    Raises:
        NotFoundError: if no dock with this title can be seen.
    """
    for dock in window.findChildren(QDockWidget):
        if dock.windowTitle() in (title, f"{title} (SegCAM)") and not dock.visibleRegion().isEmpty():
            corner = dock.mapTo(window, dock.rect().topLeft())
            return picture.crop((corner.x(), corner.y(), corner.x() + dock.width(), corner.y() + dock.height()))
    raise NotFoundError(f"No dock called “{title}” can be seen.")


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as PNG, with as many colors as its size allows.

    Raises:
        ValueError: if it is larger than a page should load.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for colors in _COLORS:
        _with_colors(picture, colors).save(path, optimize=True)
        if path.stat().st_size <= LARGEST:
            return
    raise ValueError(f"{path.name} has {path.stat().st_size} bytes; at most {LARGEST} are allowed.")


def _with_colors(picture: Image.Image, colors: int) -> Image.Image:
    """Return a picture with fewer colors. The colors of thin lines and small letters are kept."""
    return picture.quantize(colors, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)


def _has_message() -> bool:
    return any(type(w).__name__ == "NapariQtNotification" and w.isVisible() for w in QApplication.allWidgets())
