"""A PACS in memory, whose frames come when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicom.dicom_cine import DicomCine
from napari_segcam.imaging.dicomweb.arriving import Arrival, ArrivingCine
from napari_segcam.imaging.dicomweb.found import FoundInstance, FoundSeries
from napari_segcam.imaging.dicomweb.sending import SentFile


@dataclass
class FakePacs:
    """What the server holds, and what it was asked.

    Attributes:
        files: by UID of their instance.
        series: with their instances.
        frames_let_through: how many frames of a cine may come; None for all.
        failure: raised by every request, once the frames that are let through have come.
        asked: what was asked, in order.
        sent: files that were sent.
        states: what becomes of a file that is sent, by name; others are stored.
    """

    files: dict[str, Path] = field(default_factory=dict)
    series: dict[FoundSeries, list[FoundInstance]] = field(default_factory=dict)
    frames_let_through: int | None = None
    failure: str = ""
    is_slow: bool = False
    asked: list[str] = field(default_factory=list)
    sent: list[Path] = field(default_factory=list)
    states: dict[str, tuple[str, str]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, path: Path, **words: Any) -> FoundSeries:
        """Hold a file, in a series of its own."""
        number = len(self.series) + 1
        series = FoundSeries(f"1.2.{number}", f"1.2.{number}.1", instances=1, modality="US", **words)
        return self.add_to(series, [path])

    def add_to(self, series: FoundSeries, paths: Sequence[Path]) -> FoundSeries:
        """Hold files as the instances of a series."""
        self.series[series] = []
        for number, path in enumerate(paths, start=1):
            uid = f"{series.series_uid}.{number}"
            cine = DicomCine(path)
            rows, columns = cine.frame_shape[:2]
            kind = "1.2.840.10008.5.1.4.1.1.3.1"
            instance = FoundInstance(series.study_uid, series.series_uid, uid, kind, number, len(cine), rows, columns)
            self.series[series].append(instance)
            self.files[uid] = path
        return series

    def let_through(self, frames: int | None, failure: str = "") -> None:
        """Let so many frames come; None for all."""
        with self.changed:
            self.frames_let_through, self.failure = frames, failure
            self.changed.notify_all()

    def connect(self, cancelled: Callable[[], bool]) -> FakeClient:
        return FakeClient(self, cancelled)


class FakeClient:
    """A client of the fake."""

    def __init__(self, pacs: FakePacs, cancelled: Callable[[], bool]) -> None:
        self.notes: list[str] = []
        self._pacs = pacs
        self._cancelled = cancelled

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def search(self, *, limit: int = 100, **criteria: str) -> list[FoundSeries]:
        self._ask(f"search {criteria['patient_name']}".strip())
        while self._pacs.is_slow:
            self._wait()
        return [each for each in self._pacs.series if criteria["patient_name"] in each.patient_name][:limit]

    def instances(self, series: FoundSeries) -> list[FoundInstance]:
        self._ask(f"instances {series.series_uid}")
        return self._pacs.series[series]

    def thumbnail(self, instance: FoundInstance, side: int = 128) -> NDArray[np.uint8]:
        self._ask(f"thumbnail {instance.uid}")
        return np.full((side // 2, side, 3), 128, np.uint8)

    def stream(self, instance: FoundInstance, folder: Path) -> Iterator[Arrival]:
        pacs = self._pacs
        self._ask(f"stream {instance.uid}")
        part, path = folder / f".{instance.uid}.part", folder / f"{instance.uid}.dcm"
        content = pacs.files[instance.uid].read_bytes()
        ends = [spans[-1].end for spans in DicomCine(pacs.files[instance.uid])._spans]
        coming: ArrivingCine | None = None
        try:
            for number, end in enumerate(ends):
                while pacs.frames_let_through is not None and number >= pacs.frames_let_through:
                    if pacs.failure:
                        raise SegcamError(pacs.failure)
                    self._wait()
                part.write_bytes(content[:end])
                coming = coming or ArrivingCine(part, path)
                coming.grow()
                yield Arrival(coming, coming.arrived, len(coming), end)
            part.write_bytes(content)
            assert coming is not None
            coming.complete(path)
            yield Arrival(coming, len(coming), len(coming), len(content), path)
        finally:
            part.unlink(missing_ok=True)

    def send(self, paths: Sequence[Path], progress: Callable[[SentFile, int, int], None]) -> list[SentFile]:
        results = []
        while self._pacs.is_slow:
            self._wait()
        for number, path in enumerate(paths, start=1):
            self._pacs.sent.append(path)
            results.append(SentFile(path, "1.2", *self._pacs.states.get(path.name, ("stored", ""))))
            progress(results[-1], number, len(paths))
        return results

    def _ask(self, words: str) -> None:
        self._pacs.asked.append(words)
        if self._pacs.failure and self._pacs.frames_let_through is None:
            raise SegcamError(self._pacs.failure)

    def _wait(self) -> None:
        if self._cancelled():
            raise SegcamError("Cancelled.")
        with self._pacs.changed:
            self._pacs.changed.wait(0.05)
