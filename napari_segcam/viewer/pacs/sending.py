"""Sending DICOM objects to a PACS: read, checked against the open image, asked about, and sent in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.pacs.sendable import Sendable, read_job
from napari_segcam.viewer.pacs.threads import Lane
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.sending import SentFile
    from napari_segcam.viewer.pacs.connecting import Connect

_SENDING = "Sending to {server}: {done} of {count}"
_SENT = "{stored} of {count} are on {server}."
_STATES = {
    "stored": "stored",
    "present": "was there already",
    "refused": "refused",
    "unknown": "unknown: search for it before you send it again",
    "unsent": "not sent",
}
_DONE = (_STATES["stored"], _STATES["present"])
NOTHING = "There is no DICOM file (*.dcm) in {where}. Export DICOM objects first, or choose files."


class Sending(QObject):
    """The objects that can be sent, and what became of each.

    Attributes:
        objects: that were chosen, in order.
        of_image: the open image; None if it is no DICOM file, or there is none.
        outcomes: what became of each that was sent, in words, by path.
        words: what is being done; empty if nothing is.
        counts: how many are sent, and how many there are; 0 and 0 while they are read.
    """

    changed = Signal()
    failed = Signal(str)
    sent = Signal(str)
    _came = Signal(object)  # from the thread that sends

    def __init__(self, session: ReviewSession, lane: Lane) -> None:
        super().__init__(session)
        self.objects: list[Sendable] = []
        self.of_image: Sendable | None = None
        self.outcomes: dict[Path, str] = {}
        self.words = ""
        self.counts = (0, 0)
        self._is_sending = False
        self._session = session
        self._lane = lane
        self._chosen: list[Path] = []
        self._came.connect(self._take_outcome)
        session.image_changed.connect(self._on_image)

    @property
    def is_busy(self) -> bool:
        """Whether objects are being read or sent."""
        return bool(self.words)

    def in_progress(self) -> list[str]:
        """Return in words what a closed window would interrupt; objects that are only read are not sent yet."""
        return [self.words] if self.is_busy and self._is_sending else []

    def choose(self, paths: Sequence[Path]) -> None:
        """Read what these files, or the DICOM files of these folders, are; they replace those that were chosen."""
        self._chosen = list(paths)
        image = self._session.image
        path = None if image is None else LayerSource.from_layer(image).path
        job = read_job(paths, path)
        where = ", ".join(path.name for path in paths)
        job.on_result = lambda result: self._take(where, *result)
        job.on_done = self._end
        self.outcomes = {}
        self._is_sending = False
        self._start(job, "Reading the objects …", (0, 0))

    def is_of_open_image(self, sendable: Sendable) -> bool | None:
        """Return whether an object belongs to the patient of the open image; None if that is not known."""
        return None if self.of_image is None or sendable.problem else sendable.is_of(self.of_image)

    def send(self, connect: Connect, paths: Sequence[Path], server: str) -> None:
        """Send files; each is stored whole, or its reason is said."""
        count = len(paths)

        def work() -> Iterator[None]:
            with connect(lambda: job.cancelled) as client:
                client.send(paths, lambda sent, done, total: self._came.emit((job, sent, done, total, server)))
            yield

        def end(error: str | None) -> None:
            stored = sum(words.startswith(_DONE) for words in self.outcomes.values())
            self.sent.emit(_SENT.format(stored=stored, count=count, server=server))
            self._end(error)

        job = Job("pacs", f"Sending {count} objects", work, on_done=end)
        self.outcomes = {}
        self._is_sending = True
        self._start(job, _SENDING.format(done=0, count=count, server=server), (0, count))

    def cancel(self) -> None:
        """Send no more of them."""
        self._lane.cancel()
        self._end(None)

    def _on_image(self) -> None:
        """Compare the objects with the image that is open now."""
        if self._chosen and not self.outcomes:
            self.choose(self._chosen)

    def _start(self, job: Job, words: str, counts: tuple[int, int]) -> None:
        self.words, self.counts = words, counts
        self._lane.start(job)
        self.changed.emit()

    def _take(self, where: str, objects: list[Sendable], of_image: Sendable | None) -> None:
        self.objects, self.of_image = objects, of_image
        if not objects:
            self.failed.emit(NOTHING.format(where=where))
        self.changed.emit()

    def _take_outcome(self, came: tuple[Job, SentFile, int, int, str]) -> None:
        job, sent, done, total, server = came
        self.outcomes[sent.path] = outcome_words(sent)
        if job is self._lane.job:
            self.words, self.counts = _SENDING.format(done=done, count=total, server=server), (done, total)
        self.changed.emit()

    def _end(self, error: str | None) -> None:
        self.words = ""
        if error is not None:
            self.failed.emit(error)
        self.changed.emit()


def outcome_words(sent: SentFile) -> str:
    """Return what became of a file, with the reason."""
    words = _STATES[sent.state]
    return f"{words}: {sent.reason}" if sent.reason else words
