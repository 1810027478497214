"""Real windows with the workspace docked: images and views are removed while the canvas shows a status text.

usage: taking_apart.py: it exits with 0 and prints "done" if the windows survive it all.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import napari
import numpy as np
from PIL import Image
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.workspace import open_workspace

STATUS_TEXTS = ("not computed", "heat scaled to all frames")


def open_window() -> napari.Viewer:
    """Open a window with the workspace docked."""
    viewer = napari.Viewer()
    open_workspace(viewer)
    process_events()
    return viewer


def process_events(times: int = 20) -> None:
    """Let Qt process its pending events."""
    for _ in range(times):
        QApplication.processEvents()


def add_cine(viewer: napari.Viewer) -> None:
    viewer.add_image(np.random.default_rng(0).random((5, 96, 128), np.float32))


def show_status(viewer: napari.Viewer) -> None:
    """Show on the canvas a status as a review does."""
    session_of(viewer)._view_updates._status.say(*STATUS_TEXTS)
    process_events()


def removed_and_added() -> None:
    viewer = open_window()
    for _ in range(3):
        add_cine(viewer)
        show_status(viewer)
        viewer.layers.pop(0)
    viewer.close()


def removed_without_status() -> None:
    viewer = open_window()
    for _ in range(3):
        add_cine(viewer)
        process_events()
        viewer.layers.pop(0)
    viewer.close()


def cleared_and_opened_from_files() -> None:
    viewer = open_window()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.png"
        Image.fromarray(np.zeros((40, 50), np.uint8)).save(path)
        for _ in range(3):
            add_cine(viewer)
            viewer.open(path)
            show_status(viewer)
            viewer.layers.clear()
            process_events()
        viewer.open(path)
        show_status(viewer)
    viewer.close()


def hidden_and_resized() -> None:
    viewer = open_window()
    add_cine(viewer)
    show_status(viewer)
    for visible, width in ((False, 1000), (False, 1200), (True, 900), (False, 1100)):
        viewer.layers[0].visible = visible
        viewer.window.resize(width, 650)
        show_status(viewer)
    viewer.close()


def turned_to_3d_and_back() -> None:
    viewer = open_window()
    for _ in range(3):
        add_cine(viewer)
        show_status(viewer)
        viewer.dims.ndisplay = 5 - viewer.dims.ndisplay
        process_events()
        viewer.layers.clear()
        process_events()
    viewer.close()


def in_a_grid() -> None:
    viewer = open_window()
    add_cine(viewer)
    add_cine(viewer)
    for enabled in (True, False, True):
        viewer.canvas.grid.enabled = enabled
        show_status(viewer)
        viewer.layers.pop(0)
        process_events()
        add_cine(viewer)
    viewer.layers.clear()
    process_events()
    viewer.close()


def beside_another_window() -> None:
    viewer, other = open_window(), open_window()
    for _ in range(2):
        add_cine(viewer)
        add_cine(other)
        show_status(viewer)
        show_status(other)
        other.layers.clear()
        viewer.layers.clear()
        process_events()
    other.close()
    add_cine(viewer)
    show_status(viewer)
    viewer.close()


def grid_without_status() -> None:
    viewer = open_window()
    for _ in range(3):
        add_cine(viewer)
    viewer.canvas.grid.enabled = True
    process_events()
    while viewer.layers:
        viewer.layers.pop(0)
        process_events()
        viewer.window.resize(900 + 60 * len(viewer.layers), 650)
        process_events()
    add_cine(viewer)
    process_events()
    viewer.close()


def closed_with_status() -> None:
    viewer = open_window()
    add_cine(viewer)
    show_status(viewer)
    viewer.close()
    QTest.qWait(100)


if __name__ == "__main__":
    for scenario in (
        removed_and_added,
        removed_without_status,
        cleared_and_opened_from_files,
        hidden_and_resized,
        turned_to_3d_and_back,
        in_a_grid,
        grid_without_status,
        beside_another_window,
        closed_with_status,
    ):
        print(scenario.__name__, flush=True)
        scenario()
    print("done", flush=True)
