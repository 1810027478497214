"""Small pictures of series and images: loaded one by one, those in sight first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QImage, QPixmap

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicomweb.found import FoundInstance, FoundSeries
from napari_segcam.viewer.pacs.threads import Lane
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.client import PacsClient
    from napari_segcam.viewer.pacs.connecting import Connect

SIDE = 56  # pixels on the screen
_FAILURES = 5  # in a row, after which no more are asked for

Key = str  # UID of a series or of an instance


class Pictures(QObject):
    """Pictures by UID; ``changed`` says of which one is known more.

    Attributes:
        pictures: that are here.
        reasons: why there is none, in words.
    """

    changed = Signal(str)

    def __init__(self, lane: Lane, parent: QObject) -> None:
        super().__init__(parent)
        self.pictures: dict[Key, QPixmap] = {}
        self.reasons: dict[Key, str] = {}
        self._lane = lane
        self._connect: Connect | None = None
        self._wanted: list[tuple[Key, FoundSeries | FoundInstance]] = []
        self._failures = 0

    def begin(self, connect: Connect) -> None:
        """Forget all pictures, which belong to an earlier search, and stop loading them."""
        self._lane.cancel()
        self.pictures.clear()
        self.reasons.clear()
        self._wanted = []
        self._failures = 0
        self._connect = connect

    def want(self, wanted: Sequence[tuple[Key, FoundSeries | FoundInstance]]) -> None:
        """Load these pictures next, in this order; those asked for before and not among them are no longer wanted."""
        self._wanted = [(key, found) for key, found in wanted if key not in self.pictures and key not in self.reasons]
        if not self._lane.is_busy:
            self._load_next()

    def stop(self) -> None:
        """Load no more of them."""
        self._wanted = []
        self._lane.cancel()

    def _load_next(self) -> None:
        connect = self._connect
        if connect is None or not self._wanted or self._failures >= _FAILURES:
            return
        key, found = self._wanted.pop(0)

        def work() -> Iterator[NDArray[np.uint8] | str]:
            try:
                with connect(lambda: job.cancelled) as client:
                    yield thumbnail_of(client, found)
            except SegcamError as fault:
                yield str(fault)

        def take(picture: NDArray[np.uint8] | str) -> None:
            if isinstance(picture, str):
                self._failures += 1
                self.reasons[key] = picture
            else:
                self._failures = 0
                self.pictures[key] = pixmap_of(picture)
            self.changed.emit(key)

        job = Job("pacs", "Loading small pictures", work, on_result=take)
        job.on_done = lambda _error: None if job.cancelled else self._load_next()
        self._lane.start(job)


def thumbnail_of(client: PacsClient, found: FoundSeries | FoundInstance) -> NDArray[np.uint8]:
    """Return a small picture of an instance, or of the one in the middle of a series.

    Raises:
        SegcamError: if there is none.
    """
    if isinstance(found, FoundInstance):
        return client.thumbnail(found)
    images = [instance for instance in client.instances(found) if instance.is_image]
    if not images:
        raise SegcamError("The series holds no image.")
    return client.thumbnail(images[len(images) // 2])


def pixmap_of(picture: NDArray[np.uint8]) -> QPixmap:
    """Return a picture ``(Y, X)`` or ``(Y, X, 3)`` as Qt draws it; for the UI thread."""
    pixels = np.ascontiguousarray(picture)
    rows, columns = pixels.shape[:2]
    is_color = pixels.ndim == 3
    kind = QImage.Format.Format_RGB888 if is_color else QImage.Format.Format_Grayscale8
    image = QImage(pixels.data, columns, rows, columns * (3 if is_color else 1), kind)
    return QPixmap.fromImage(
        image.scaled(SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
    )
