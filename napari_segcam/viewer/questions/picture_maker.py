"""The maker of pictures: it makes those that are wanted of the frame in view, in the worker, between frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_segcam.viewer.questions.pictures import AnswerPicture, Shown
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_REST_MS = 250  # the user has stopped at a frame


@dataclass(frozen=True, eq=False)
class Wanted:
    """Pictures that are wanted.

    Attributes:
        key: what they depend on besides the frame.
        title: of the work, for the user.
        count: how many there are.
        work: yields them, in the worker; it is called with the frame and a function that returns whether to stop.
    """

    key: tuple[object, ...]
    title: str
    count: int
    work: Callable[[Shown, Callable[[], bool]], Iterator[AnswerPicture]]


class PictureMaker(QObject):
    """Makes pictures while somebody can see them, and makes them again when the frame changes.

    Args:
        session: whose frame in view is shown.
        wanted: returns what is wanted now; None for nothing.
        parent: with which it ends.

    Attributes:
        pictures: by the index of the answer; they may be of the frame before.
    """

    changed = Signal()

    def __init__(self, session: ReviewSession, wanted: Callable[[], Wanted | None], parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._wanted = session, wanted
        self.pictures: dict[int, AnswerPicture] = {}
        self._new: set[int] = set()
        self._is_watched = False
        self._job: Job | None = None
        self._asked: tuple[object, ...] = ()  # what the pictures that are wanted, or made, depend on
        self._shown_key: tuple[object, ...] = ()  # the same for those that are shown
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._start)
        for signal in (session.frame_changed, session.image_changed, session.record_changed, session.job_changed):
            signal.connect(self.update)
        session.background.changed.connect(self.changed)

    def is_new(self, index: int) -> bool:
        """Whether the picture of an answer is of the frame in view."""
        return index in self._new

    @property
    def is_complete(self) -> bool:
        """Whether all wanted pictures are made, of the frame in view."""
        wanted = self._wanted()
        return wanted is not None and len(self._new) == wanted.count

    def watch(self, is_watched: bool) -> None:
        """Make pictures only while somebody can see them."""
        self._is_watched = is_watched
        self.update()

    def forget(self, *, keep_old: bool = False) -> None:
        """Drop all pictures, or count them as old ones."""
        self._new = set()
        if not keep_old:
            self.pictures = {}
        self.update()

    def update(self, _of: object = None) -> None:
        """Make other pictures if they are needed, once the user has stopped at a frame."""
        key = self._key()
        if key == self._asked:
            return
        self._asked = key
        if self._job is not None:
            self._job.cancel()
        self._rest.stop()
        if key and not (key == self._shown_key and self.is_complete):
            self._new = set()
            self._rest.start()
            self.changed.emit()

    def _key(self) -> tuple[object, ...]:
        """Return what the pictures depend on; empty if none are wanted."""
        wanted, shown = self._wanted(), self._shown()
        return () if not self._is_watched or wanted is None or shown is None else (*wanted.key, *shown.key)

    def _shown(self) -> Shown | None:
        session = self._session
        review = session.review
        if review is None or session.reviews.hiding.of(session.image).prediction:
            return None
        threshold = None if session.network is None else session.threshold
        return Shown(review.input.source, session.current_frame(), threshold, session.class_colors)

    def _start(self) -> None:
        wanted, shown = self._wanted(), self._shown()
        if not self._asked or wanted is None or shown is None:
            return
        self._shown_key = self._asked
        job = self._job = Job(
            "questions",
            wanted.title,
            lambda: wanted.work(shown, lambda: job.cancelled),
            wanted.count,
            in_background=True,
        )
        job.on_result = lambda picture: self._take(job, picture)
        job.on_done = lambda error: self._end(job, error)
        self._session.submit(job)

    def _take(self, job: Job, picture: AnswerPicture) -> None:
        if job is self._job and not job.cancelled:
            self.pictures[picture.index] = picture
            self._new.add(picture.index)
            self.changed.emit()

    def _end(self, job: Job, error: str | None) -> None:
        if job is self._job:
            self._job = None
            if error is not None:
                self._session.viewer.status = error
            self.changed.emit()
