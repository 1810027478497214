"""Colors of words in the window, for napari's dark and light themes."""

from __future__ import annotations

from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QWidget

# On a dark background, and on a light one: contrast of 4.5 or more with each of napari's backgrounds (WCAG 2.1).
HIGHLIGHTS = (QColor("#f0a020"), QColor("#8a4b00"))
QUIETS = (QColor(164, 169, 177), QColor(88, 92, 100))
PLATE, ON_PLATE = QColor(22, 24, 28), QColor(235, 238, 242)  # dark in both themes, and the words on it
QUIET_ON_PLATE = QColor(150, 156, 164)


def highlight(widget: QWidget) -> QColor:
    """Return the color of words that the user should not miss."""
    return HIGHLIGHTS[has_light_background(widget)]


def quiet(widget: QWidget) -> QColor:
    """Return the color of words that matter less."""
    return QUIETS[has_light_background(widget)]


def has_light_background(widget: QWidget) -> bool:
    """Return whether a widget is drawn in a light theme: its text is dark."""
    return bool(widget.palette().color(QPalette.ColorRole.WindowText).lightness() < 128)
