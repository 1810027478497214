"""A real window with the workspace docked, whose images and views are taken apart while words stand on the canvas.

usage: taking_apart.py: it ends with 0, and has said "done", if the windows outlived it all.
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

WORDS = ("not computed", "heat scaled to the clip")


def window() -> napari.Viewer:
    viewer = napari.Viewer()
    open_workspace(viewer)
    turn()
    return viewer


def turn(times: int = 20) -> None:
    for _ in range(times):
        QApplication.processEvents()


def cine(viewer: napari.Viewer) -> None:
    viewer.add_image(np.random.default_rng(0).random((5, 96, 128), np.float32))


def say(viewer: napari.Viewer) -> None:
    """Have the words stand on the canvas that a review puts there."""
    session_of(viewer)._status.say(*WORDS)
    turn()


def removed_and_added() -> None:
    viewer = window()
    for _ in range(3):
        cine(viewer)
        say(viewer)
        viewer.layers.pop(0)
    viewer.close()


def removed_while_nothing_is_said() -> None:
    viewer = window()
    for _ in range(3):
        cine(viewer)
        turn()
        viewer.layers.pop(0)
    viewer.close()


def cleared_and_opened_from_files() -> None:
    viewer = window()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.png"
        Image.fromarray(np.zeros((40, 50), np.uint8)).save(path)
        for _ in range(3):
            cine(viewer)
            viewer.open(path)
            say(viewer)
            viewer.layers.clear()
            turn()
        viewer.open(path)
        say(viewer)
    viewer.close()


def hidden_and_resized() -> None:
    viewer = window()
    cine(viewer)
    say(viewer)
    for visible, width in ((False, 1000), (False, 1200), (True, 900), (False, 1100)):
        viewer.layers[0].visible = visible
        viewer.window.resize(width, 650)
        say(viewer)
    viewer.close()


def turned_to_3d_and_back() -> None:
    viewer = window()
    for _ in range(3):
        cine(viewer)
        say(viewer)
        viewer.dims.ndisplay = 5 - viewer.dims.ndisplay
        turn()
        viewer.layers.clear()
        turn()
    viewer.close()


def in_a_grid() -> None:
    viewer = window()
    cine(viewer)
    cine(viewer)
    for enabled in (True, False, True):
        viewer.canvas.grid.enabled = enabled
        say(viewer)
        viewer.layers.pop(0)
        turn()
        cine(viewer)
    viewer.layers.clear()
    turn()
    viewer.close()


def beside_another_window() -> None:
    viewer, other = window(), window()
    for _ in range(2):
        cine(viewer)
        cine(other)
        say(viewer)
        say(other)
        other.layers.clear()
        viewer.layers.clear()
        turn()
    other.close()
    cine(viewer)
    say(viewer)
    viewer.close()


def grid_without_words() -> None:
    viewer = window()
    for _ in range(3):
        cine(viewer)
    viewer.canvas.grid.enabled = True
    turn()
    while viewer.layers:
        viewer.layers.pop(0)
        turn()
        viewer.window.resize(900 + 60 * len(viewer.layers), 650)
        turn()
    cine(viewer)
    turn()
    viewer.close()


def closed_with_words_on() -> None:
    viewer = window()
    cine(viewer)
    say(viewer)
    viewer.close()
    QTest.qWait(100)


if __name__ == "__main__":
    for way in (
        removed_and_added,
        removed_while_nothing_is_said,
        cleared_and_opened_from_files,
        hidden_and_resized,
        turned_to_3d_and_back,
        in_a_grid,
        grid_without_words,
        beside_another_window,
        closed_with_words_on,
    ):
        print(way.__name__, flush=True)
        way()
    print("done", flush=True)
