"""The canvas of a viewer, for which napari has no public name."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

from napari_segcam.viewer.napari_internals.replacement import private_attribute


def canvas_of(viewer: ViewerModel) -> QWidget | None:
    """Return the widget that napari draws in; None if the viewer has no window, or a closed one."""
    window: Any = getattr(viewer, "window", None)
    if window is None or not hasattr(window, "_qt_window"):  # napari deletes this attribute on closing
        return None
    return private_attribute(window, "_qt_viewer.canvas.native")
