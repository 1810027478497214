"""The workspace: all widgets of a review at once."""

from __future__ import annotations

import napari.viewer
from qtpy.QtCore import QTimer

from napari_segcam.viewer.docks import PLUGIN, dock

__all__ = ["PLUGIN", "open_workspace"]


def open_workspace(viewer: napari.viewer.Viewer) -> None:
    """Dock the Checkpoint, Segmentation, Grad-CAM and Export widgets as tabs, and the strip below the canvas.

    Widgets that are already open stay where they are; hidden ones are shown again.
    """
    checkpoint, _ = dock(viewer, "Checkpoint")
    for name in ("Segmentation", "Grad-CAM", "Export"):
        dock(viewer, name, tabify=True)
    dock(viewer, "Cine strip")
    QTimer.singleShot(0, checkpoint.raise_)  # a dock can come to the front only after the layout
