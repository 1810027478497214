"""Searching a PACS: what is asked for, and what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.pacs.threads import Lane
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.found import FoundInstance, FoundSeries
    from napari_segcam.viewer.pacs.connecting import Connect

LIMIT = 200
NOTHING_FOUND = "Nothing was found."


@dataclass(frozen=True)
class Criteria:
    """What is searched for; empty fields fit everything.

    Attributes:
        patient_id: all of it.
        patient_name: or a part of it.
        date: as the search on the command line takes it: ``2026-01-31``, ``2026-01-01..2026-01-31``, ``7d``.
        description: of the series or study.
        modality: such as ``US``.
    """

    patient_id: str = ""
    patient_name: str = ""
    date: str = ""
    description: str = ""
    modality: str = ""


class Searching(QObject):
    """The last search.

    Attributes:
        series: that were found.
        is_searching: whether the server has not answered yet.
        words: what was found, in words.
    """

    changed = Signal()
    found = Signal()
    failed = Signal(str)
    said = Signal(str)
    listed = Signal(object, object)

    def __init__(self, lane: Lane, listing: Lane, parent: QObject) -> None:
        super().__init__(parent)
        self.series: list[FoundSeries] = []
        self.instances: dict[str, list[FoundInstance]] = {}
        self.words = ""
        self.is_searching = False
        self._lane = lane
        self._listing = listing

    def search(self, connect: Connect, criteria: Criteria) -> None:
        """Search; what an earlier search has found goes once this one has its answer."""

        def work() -> Iterator[tuple[list[FoundSeries], str]]:
            with connect(lambda: job.cancelled) as client:
                series = client.search(**asdict(criteria), limit=LIMIT)
                yield series, " ".join(client.notes)

        def take(result: tuple[list[FoundSeries], str]) -> None:
            self.series, notes = result
            self.instances = {}
            words = f"{len(self.series)} series found." if self.series else NOTHING_FOUND
            self.words = words
            self.found.emit()
            if notes:
                self.said.emit(notes)

        job = Job("pacs", "Searching", work, on_result=take)
        job.on_done = lambda error: self._end(job, error)
        self.is_searching, self.words = True, "Searching …"
        self._lane.start(job)
        self.changed.emit()

    def list_instances(self, connect: Connect, series: FoundSeries) -> None:
        """Ask for the images of a series; ``listed`` gives them, with the series."""

        def work() -> Iterator[list[FoundInstance]]:
            with connect(lambda: job.cancelled) as client:
                yield client.instances(series)

        def take(instances: list[FoundInstance]) -> None:
            self.instances[series.series_uid] = instances
            self.listed.emit(series, instances)

        job = Job("pacs", "Listing the images of a series", work, on_result=take)
        job.on_done = lambda error: None if error is None else self.failed.emit(error)
        self._listing.start(job)

    def cancel(self) -> None:
        """Wait for the answer no longer."""
        self._lane.cancel()
        if self.is_searching:
            self.is_searching, self.words = False, "Search stopped."
        self.changed.emit()

    def forget(self) -> None:
        """Forget what was found."""
        self._lane.cancel()
        self._listing.cancel()
        self.series, self.instances = [], {}
        self.is_searching, self.words = False, ""
        self.found.emit()

    def _end(self, job: Job, error: str | None) -> None:
        if job.cancelled:
            return
        self.is_searching = False
        if error is not None:
            self.words = ""
            self.failed.emit(error)
        self.changed.emit()
