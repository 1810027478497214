"""The demo in a window: the sample, the checkpoint, and the cine explained, as a user would have done it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtCore import QTimer

from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.docks import PLUGIN, dock
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.responsiveness.ctrl_c import run_until_closed
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.gradcam_widget import GradCamWidget
from napari_segcam.viewer.workspace import open_workspace

_WINDOW = (1366, 768)  # the screen of a small laptop
_SETTLE_MS = 1500  # the window draws its docks and textures over several turns of the event loop


def show_demo(screenshot: Path | None = None) -> None:
    """Open the viewer with the sample's explanation; block until it is closed.

    Args:
        screenshot: where to save a picture of the window, which is then closed; None to leave it open.

    Raises:
        SegcamError: if the demo did not finish.
    """
    viewer = napari.Viewer(title="napari-segcam demo")
    viewer.window.resize(*_WINDOW)
    viewer.open(sample_cine(), plugin=PLUGIN)
    viewer.dims.set_current_step(0, FRAME)
    viewer.canvas.overlays.scale_bar.visible = True
    open_workspace(viewer)
    session = session_of(viewer)
    tab, gradcam = dock(viewer, "Grad-CAM")
    assert isinstance(gradcam, GradCamWidget)
    finished = False

    def finish() -> None:
        nonlocal finished
        finished = True
        viewer.reset_view()  # the docks have taken some of the canvas since the image was opened
        if screenshot is not None:
            QTimer.singleShot(_SETTLE_MS, lambda: _save_and_close(viewer, screenshot))

    def explain() -> None:
        tab.raise_()
        gradcam.run_bar.requested.emit("all")
        _when_done(session, session.figures, finish)

    _when_done(session, lambda: session.network, explain)
    session.load(ModelSource(str(demo_checkpoint())))
    canvas = canvas_of(viewer)
    assert canvas is not None
    run_until_closed(canvas.window())
    if screenshot is not None and not finished:
        raise SegcamError(f"The demo did not finish. {' '.join(session.outcomes.values())}")


def _when_done(session: ReviewSession, result: Callable[[], object], then: Callable[[], object]) -> None:
    """Call ``then`` once the worker is done; close the window if there is no result."""

    def on_change() -> None:
        if session.is_busy:
            return
        session.job_changed.disconnect(on_change)
        if result():
            then()
        else:
            session.viewer.close()

    session.job_changed.connect(on_change)


def _save_and_close(viewer: napari.Viewer, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    viewer.close()
