"""The workspace: all widgets of a review at once."""

from __future__ import annotations

import napari.viewer
from qtpy.QtCore import QTimer

PLUGIN = "napari-segcam"


def open_workspace(viewer: napari.viewer.Viewer) -> None:
    """Dock the Checkpoint, Segmentation, Grad-CAM and Export widgets as tabs, and the strip below the canvas.

    Those that are open already stay where they are.
    """
    checkpoint, _ = viewer.window.add_plugin_dock_widget(PLUGIN, "Checkpoint")
    for name in ("Segmentation", "Grad-CAM", "Export"):
        viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    viewer.window.add_plugin_dock_widget(PLUGIN, "Cine strip")
    QTimer.singleShot(0, checkpoint.raise_)  # a dock comes to the front only once it is laid out
