"""The workspace: all widgets of a review at once."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import napari.viewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow

from napari_segcam.viewer.closed_panels import FIRST_STEPS, is_closed
from napari_segcam.viewer.docks import PLUGIN, dock

__all__ = ["PLUGIN", "open_workspace"]

_WIDTH = 360  # pixels


def open_workspace(viewer: napari.viewer.Viewer) -> None:
    """Dock the Checkpoint, Segmentation, Grad-CAM and Export widgets as tabs, and the strip below the canvas.

    The first steps are above the canvas, unless the user has closed them for good.

    Widgets that are already open stay where they are; hidden ones are shown again.
    """
    checkpoint, _ = dock(viewer, "Checkpoint")
    for name in ("Segmentation", "Grad-CAM", "Export"):
        dock(viewer, name, tabify=True)
    dock(viewer, "Cine strip")
    if not is_closed(FIRST_STEPS):
        first_steps: Any = dock(viewer, FIRST_STEPS)[1]
        first_steps.step_aside()
    QTimer.singleShot(0, lambda: _arrange(checkpoint))  # once the window is laid out


def _arrange(checkpoint: QDockWidget) -> None:
    """Bring the first tab to the front, in docks wide enough for the names of six tabs."""
    with suppress(RuntimeError):  # the window is gone
        checkpoint.raise_()
        window = checkpoint.window()
        if isinstance(window, QMainWindow) and checkpoint.width() < _WIDTH < window.width() / 3:
            window.resizeDocks([checkpoint], [_WIDTH], Qt.Orientation.Horizontal)
