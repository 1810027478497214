"""A closed window frees its session, its images and its results."""

from __future__ import annotations

import gc
import weakref

import napari
import numpy as np
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QCoreApplication, QEvent

from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.workspace import open_workspace


def closed_workspace(qtbot: QtBot) -> weakref.ref[ReviewSession]:
    viewer = napari.Viewer(show=False)  # napari's fixture would keep it
    open_workspace(viewer)
    viewer.add_image(np.zeros((5, 64, 64), np.uint8))
    qtbot.wait(20)
    session = weakref.ref(session_of(viewer))
    viewer.close()
    return session


def test_a_closed_window_frees_its_session(qtbot: QtBot) -> None:
    session = closed_workspace(qtbot)

    def is_freed() -> bool:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        gc.collect()
        return session() is None

    qtbot.waitUntil(is_freed, timeout=10_000)
