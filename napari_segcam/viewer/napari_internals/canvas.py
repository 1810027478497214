"""The canvas of a viewer: napari has no public name for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    pass


def canvas_of(viewer: ViewerModel) -> QWidget | None:
    """The widget that napari draws in; None for a viewer without a window. napari has no public name for it."""
    window: Any = getattr(viewer, "window", None)
    return None if window is None else window._qt_viewer.canvas.native
