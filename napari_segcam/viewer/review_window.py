"""A review project in a window of its own."""

from __future__ import annotations

from pathlib import Path

import napari

from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.project_reader import show_project
from napari_segcam.viewer.responsiveness.ctrl_c import run_until_closed

_WINDOW = (1366, 768)  # the screen of a small laptop


def show_review(folder: Path, rater: str = "", images: Path | None = None) -> None:
    """Open a review project in a new window; block until it is closed.

    Args:
        folder: of the project.
        rater: who reads; empty to ask, unless it is known.
        images: the folder of its images, if they were moved.
    """
    viewer = napari.Viewer(title=f"{folder.name} – napari-segcam")
    viewer.window.resize(*_WINDOW)
    show_project(viewer, folder, rater, images)
    canvas = canvas_of(viewer)
    assert canvas is not None
    run_until_closed(canvas.window())
