"""The worker of a session, which works for a window that is open and for no other."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from napari.components import ViewerModel
from qtpy.QtCore import QObject

from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.worker.import_torch import import_torch
from napari_segcam.viewer.worker.worker import Job, Worker


def session_worker(session: QObject, find_job: Callable[[], Job | None], viewer: ViewerModel) -> Worker:
    """Return a worker that ends when the viewer's window is closed or the session is gone, whichever comes first.

    What was submitted before is still done, such as writing; what runs in the background is left.

    Args:
        session: whose work it does; the worker does not keep it.
        find_job: a method of the session, see ``Worker.find_job``.
        viewer: its window, if it has one.
    """
    worker, next_job = Worker(import_torch), weakref.WeakMethod(find_job)
    worker.find_job = lambda: method() if (method := next_job()) is not None else None
    weakref.finalize(session, worker.stop)
    canvas = canvas_of(viewer)
    if canvas is not None:
        canvas.window().destroyed.connect(worker.stop)
    return worker
