"""Open a window with the workspace, close it, and say whether its session is freed."""

from __future__ import annotations

import gc
import weakref

import napari
import numpy as np
import torch  # noqa: F401 - before the window, so that its thread imports nothing while Python ends
from qtpy.QtTest import QTest

from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.workspace import open_workspace


def closed_workspace() -> weakref.ref[ReviewSession]:
    viewer = napari.Viewer(show=False)
    open_workspace(viewer)
    viewer.add_image(np.zeros((5, 64, 64), np.uint8))
    QTest.qWait(100)
    session = weakref.ref(session_of(viewer))
    viewer.close()
    return session


def main() -> None:
    session = closed_workspace()
    for _ in range(20):
        QTest.qWait(100)
        gc.collect()
        if session() is None:
            print("freed")
            return
    print("kept")


if __name__ == "__main__":
    main()
