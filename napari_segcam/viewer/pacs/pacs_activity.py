"""What is asked of a PACS, in napari's activity dock."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import QObject

from napari_segcam.viewer.pacs.opening import Opening
from napari_segcam.viewer.pacs.searching import Searching
from napari_segcam.viewer.pacs.sending import Sending
from napari_segcam.viewer.pacs.threads import Lane, PacsThreads
from napari_segcam.viewer.worker.activity_bar import Activity, ActivityBar


class PacsActivity(QObject):
    """A bar with Cancel for each search, list, transfer and other job that takes longer than a second."""

    def __init__(
        self, threads: PacsThreads, searching: Searching, opening: Opening, sending: Sending, parent: QObject
    ) -> None:
        super().__init__(parent)

        def transfer() -> Activity | None:
            return Activity(opening.words, opening.cancel, *opening.frames) if opening.is_busy else None

        def objects() -> Activity | None:
            return Activity(sending.words, sending.cancel, *sending.counts) if sending.is_busy else None

        self._bar(threads.search, partial(_of_lane, threads.search, searching.cancel))
        self._bar(threads.listing, partial(_of_lane, threads.listing, threads.listing.cancel))
        self._bar(threads.settings, partial(_of_lane, threads.settings, threads.settings.cancel))
        opening.changed.connect(ActivityBar(self, transfer).follow)
        sending.changed.connect(ActivityBar(self, objects).follow)

    def _bar(self, lane: Lane, activity: Callable[[], Activity | None]) -> None:
        lane.changed.connect(ActivityBar(self, activity).follow)


def _of_lane(lane: Lane, cancel: Callable[[], None]) -> Activity | None:
    return None if lane.job is None else Activity(lane.job.title, cancel)
