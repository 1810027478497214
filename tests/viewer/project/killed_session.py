"""A session with a review project that acts at random until it is killed; says what is on disk.

usage: killed_session.py PROJECT SEED
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from napari.components import ViewerModel
from npe2 import PluginManager
from qtpy.QtWidgets import QApplication
from random_actions import Reader

from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.sessions import session_of


def main(folder: str, seed: int) -> None:
    app = QApplication([])
    PluginManager.instance().discover()

    def wait_until(condition: Callable[[], object], timeout: int = 60_000) -> None:
        end = time.monotonic() + timeout / 1000
        while not condition():
            app.processEvents()
            time.sleep(0.002)
            if time.monotonic() > end:
                raise TimeoutError

    session = session_of(ViewerModel())
    controller = controller_of(session, ProjectController)
    controller.saved.connect(lambda number: print("saved", number, flush=True))
    controller.open(folder, "anna")
    wait_until(lambda: controller.layers.is_shown)
    wait_until(lambda: session.review is not None and session.review.layers.mask is not None)
    reader = Reader(session, controller, seed, wait_until)
    while True:
        reader.act()
        wait_until(lambda: session.review is not None and session.review.layers.mask is not None)
        app.processEvents()


main(sys.argv[1], int(sys.argv[2]))
