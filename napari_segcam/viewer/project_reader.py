"""Review projects that are opened by the File menu or dropped on the canvas: the Cases dock opens them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QTimer

from napari_segcam.errors import SegcamError

LayerData = tuple[Any, ...]


def open_project_folder(path: str) -> list[LayerData]:
    """Open a review project in the current window, with the docks of a review; add no layer.

    Raises:
        SegcamError: if there is no window.
    """
    viewer = napari.current_viewer()
    if viewer is None:
        raise SegcamError(f"{Path(path).name} is a review project: open it in a napari window.")
    show_project(viewer, Path(path))
    return [(None,)]


def show_project(viewer: napari.Viewer, folder: Path, rater: str = "", images: Path | None = None) -> None:
    """Open a review project in a window once it is drawn.

    Args:
        viewer: of the window.
        folder: of the project.
        rater: who reads; empty to ask, unless it is known.
        images: the folder of its images, if they were moved.
    """
    # Imported here because napari calls the reader for any file: it must not load the widgets.
    from napari_segcam.viewer.docks import dock
    from napari_segcam.viewer.widgets.cases_widget import CasesWidget
    from napari_segcam.viewer.workspace import open_workspace

    open_workspace(viewer)
    place, widget = dock(viewer, "Cases", tabify=True)
    assert isinstance(widget, CasesWidget)

    def open_now() -> None:
        place.raise_()
        if rater:
            widget.controller.open(folder, rater, images)
        else:
            widget.open_folder(folder, images)

    QTimer.singleShot(0, open_now)
