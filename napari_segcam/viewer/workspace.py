"""The workspace: all widgets of a review at once."""

from __future__ import annotations

import napari.viewer
from qtpy.QtCore import Qt, QTimer

PLUGIN = "napari-segcam"


def open_workspace(viewer: napari.viewer.Viewer) -> None:
    """Dock the Checkpoint and Segmentation widgets as tabs, Grad-CAM below them, and the strip below the canvas."""
    checkpoint, _ = viewer.window.add_plugin_dock_widget(PLUGIN, "Checkpoint")
    viewer.window.add_plugin_dock_widget(PLUGIN, "Segmentation", tabify=True)
    gradcam, _ = viewer.window.add_plugin_dock_widget(PLUGIN, "Grad-CAM")
    viewer.window.add_plugin_dock_widget(PLUGIN, "Cine strip")

    def arrange() -> None:
        checkpoint.raise_()
        # The stages' checklist needs the room.
        gradcam.parent().resizeDocks([checkpoint, gradcam], [1, 10], Qt.Orientation.Vertical)

    QTimer.singleShot(0, arrange)  # docks take sizes only once they are laid out
