"""Opening what was found: one image after the other, each frame by frame as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_segcam.imaging.dicom.object_kind import ObjectKind
from napari_segcam.viewer.pacs.arrival import Begun, Complete, OfImage, Received, Step, arrival_job
from napari_segcam.viewer.pacs.arriving_image import ArrivingImage
from napari_segcam.viewer.pacs.kept_files import TemporaryFolder
from napari_segcam.viewer.pacs.threads import Lane
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.segmentations.map_file import MapFile
from napari_segcam.viewer.segmentations.opening import openings_of
from napari_segcam.viewer.segmentations.segmentation_file import SegmentationFile

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.found import FoundInstance
    from napari_segcam.viewer.pacs.connecting import Connect

_opening: set[ReviewSession] = set()  # kept while frames come, even if all docks are closed meanwhile


class Opening(QObject):
    """What is being opened; ``changed`` says how far it is.

    Attributes:
        folder: that files are kept in; None for a temporary one.
        words: what is being received, and how far it is; empty if nothing is.
        frames: that are here, and all of them; 0 and 0 where that is not known.
    """

    changed = Signal()
    failed = Signal(str)
    opened = Signal(object)
    stopped = Signal()

    def __init__(self, session: ReviewSession, lane: Lane, temporary: TemporaryFolder) -> None:
        super().__init__(session)
        self.folder: Path | None = None
        self.words = ""
        self.frames = (0, 0)
        self._session = session
        self._lane = lane
        self._temporary = temporary
        self._arriving: ArrivingImage | None = None
        self._waiting: deque[tuple[Connect, FoundInstance, str]] = deque()

    @property
    def is_busy(self) -> bool:
        """Whether anything is being received."""
        return self._arriving is not None

    def open(self, connect: Connect, images: Sequence[tuple[FoundInstance, str]]) -> None:
        """Open images one after the other, after those that are waiting; each with the name of its layer."""
        self._waiting += [(connect, instance, name) for instance, name in images]
        if not self.is_busy:
            self._open_next()

    def cancel(self) -> None:
        """Stop; nothing is left of the image that was being received."""
        was_busy = self.is_busy
        self._waiting.clear()
        arriving, self._arriving = self._arriving, None
        self._lane.cancel()
        if arriving is not None:
            arriving.fail()
        self._say("", (0, 0))
        if was_busy:
            self.stopped.emit()

    def end(self) -> None:
        """Forget what is being received: the window is gone."""
        self._waiting.clear()
        self._arriving = None
        _opening.discard(self._session)

    def _open_next(self) -> None:
        if not self._waiting:
            _opening.discard(self._session)
            self._say("", (0, 0))
            return
        connect, instance, name = self._waiting.popleft()
        folder = self.folder
        arriving = self._arriving = ArrivingImage(self._session, self.cancel)
        job = arrival_job(
            connect,
            instance,
            name,
            self._temporary.path if folder is None else lambda: folder,
            is_temporary=folder is None,
        )
        job.on_result = lambda step: self._take(arriving, name, step)
        job.on_done = lambda error: self._on_done(arriving, error)
        _opening.add(self._session)
        self._say(f"Asking for {name} …", (0, 0))
        self._lane.start(job)

    def _take(self, arriving: ArrivingImage, name: str, step: Step) -> None:
        match step:
            case Begun():
                arriving.begin(step)
            case Received():
                arriving.receive()
                more = f", {len(self._waiting)} more after it" if self._waiting else ""
                words = f"{step.frames} of {step.total} frames" if step.total > 1 else f"{step.size / 1e6:.1f} MB"
                self._say(f"{name}: {words}{more}", (step.frames, step.total if step.total > 1 else 0))
            case Complete():
                self._arriving = None
                self.opened.emit(arriving.complete(step))
            case OfImage():
                self._arriving = None
                arriving.end()
                what = SegmentationFile if step.kind is ObjectKind.SEGMENTATION else MapFile
                openings_of(self._session.viewer).open(step.path, what)

    def _on_done(self, arriving: ArrivingImage, error: str | None) -> None:
        if arriving is self._arriving:  # it did not come to its end
            self._arriving = None
            arriving.fail()
        if error is not None:
            self._waiting.clear()
            self.failed.emit(error)
        if self._arriving is None:
            self._open_next()

    def _say(self, words: str, frames: tuple[int, int]) -> None:
        self.words, self.frames = words, frames
        self.changed.emit()
