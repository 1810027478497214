"""The sample in one click: its cine, the network, the mask, the heat, and the stage that takes part shown first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.docks import PLUGIN
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.frames.cine_record import FrameState
from napari_segcam.viewer.mendable_errors import show_error
from napari_segcam.viewer.responsiveness.garbage_collection import without_gc_pause
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.worker.worker import Job

STAGES = (
    "Reading the cine",
    "Importing torch",
    "Loading the network",
    "Computing the mask and the heat",
    "Measuring which stages take part",
)
"""What is waited for after a click on *Try the sample*, in this order."""

_LOOK_MS = 50
_LIBRARIES = (
    "napari_segcam.imaging.opening",
    "torchvision",
    "timm",
    "segmentation_models_pytorch",
    "napari_segcam.network.loading",
    "napari_segcam.explanation.explainer",
    "napari_segcam.evidence.stage_evidence",
)


class SampleRun(QObject):
    """Opens and explains the sample, and says how far it is.

    Args:
        session: of the window.
        explain: starts explaining all frames, as a click on *Explain* does.
        parent: with which it ends.

    Attributes:
        stage: index into ``STAGES``; None while nothing is waited for.
    """

    changed = Signal()
    finished = Signal()

    def __init__(self, session: ReviewSession, explain: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self.stage: int | None = None
        self._session = session
        self._explain = explain
        self._is_started = False
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)

    def prepare(self) -> None:
        """Let the worker import what a network needs, when it has nothing else to do: a first click waits less."""
        if self._session.network is None:
            self._session.submit(Job("import", "Importing libraries", _import_libraries, in_background=True))

    def start(self) -> None:
        """Open the sample, load its network and explain it; does nothing while it does so already."""
        if self.stage is not None:
            return
        self._is_started = False
        self._show(0)
        QTimer.singleShot(_LOOK_MS, self._open)  # once the words are drawn

    def stop(self) -> None:
        """Wait for nothing any more; what is computed stays."""
        if self.stage is not None:
            self._timer.stop()
            self._session.cancel()
            self._show(None)

    def _open(self) -> None:
        if self.stage is None:
            return
        viewer: Any = self._session.viewer
        try:
            path, checkpoint = sample_cine(), demo_checkpoint()
            self._session.load(ModelSource(str(checkpoint)))  # first: the worker reads it while the cine is opened here
            layers = viewer.open(str(path), plugin=PLUGIN)
        except (SegcamError, OSError) as error:
            show_error(str(error))
            self._show(None)
            return
        self._session.choose_image(layers[0])
        self._session.go_to(FRAME)
        self._session.set_scale("frame")  # other frames are hotter, and at first no heat would be seen in this one
        self._show(1)
        self._timer.start()

    def _look(self) -> None:
        """See how far it is; the state of the session says so."""
        session = self._session
        if not session.worker.is_ready:
            return
        if session.job is not None:
            self._show(2)
        elif session.network is None:  # it could not be loaded: an error says why
            self._end()
        elif not self._is_started:
            self._is_started = True
            self._show(3)
            self._explain()
        else:
            self._follow_frames()

    def _follow_frames(self) -> None:
        session, review = self._session, self._session.review
        is_explained = review is not None and bool((review.record.states == FrameState.DONE).any())
        if review is None or (not session.is_busy and not is_explained):
            self._end()  # the image was removed, or the run has failed or was stopped
        elif is_explained:
            if controller_of(session, EvidenceController).influences() is not None or not session.is_busy:
                self._end()
            else:
                self._show(4)

    def _end(self) -> None:
        self._timer.stop()
        self._show(None)
        self.finished.emit()

    def _show(self, stage: int | None) -> None:
        if stage != self.stage:
            self.stage = stage
            self.changed.emit()


def _import_libraries() -> Iterator[None]:
    """Import one by one what the sample needs, and yield after each: other work comes first."""
    for name in _LIBRARIES:
        with without_gc_pause():  # nor is anything of a closed window deleted in this thread
            import_module(name)
        yield None
