"""The workspace: all widgets of a review at once."""

from __future__ import annotations

from typing import Any

import napari.viewer
from qtpy.QtCore import QTimer

from napari_segcam.viewer.closed_panels import FIRST_STEPS, is_closed
from napari_segcam.viewer.docks import PLUGIN, dock

__all__ = ["PLUGIN", "open_workspace"]


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
    QTimer.singleShot(0, checkpoint.raise_)  # a dock can come to the front only after the layout
