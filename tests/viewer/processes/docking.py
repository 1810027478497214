"""Dock all widgets over an image; fail if torch is imported in the window's thread, which can crash beside OpenGL."""

from __future__ import annotations

import sys
import threading

import napari
from qtpy.QtTest import QTest

from napari_segcam.demo import sample_cine
from napari_segcam.viewer.docks import dock
from napari_segcam.viewer.workspace import open_workspace


class Watch:
    """Reports imports of torch in the window's thread; it finds no module itself."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "torch" and threading.current_thread() is threading.main_thread():
            raise SystemError("torch is imported in the window's thread")


sys.meta_path.insert(0, Watch())
viewer = napari.Viewer()
viewer.open(str(sample_cine()), plugin="napari-segcam")
open_workspace(viewer)
for name in sys.argv[1:]:
    dock(viewer, name)
QTest.qWait(1000)
viewer.close()
print("done")
