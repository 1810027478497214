"""The log of one rater while it is open: what is appended is on disk soon after, and can be undone."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.review.log.events import AnyEvent, Correction, Event, Redo, Started, Undo, to_line
from napari_segcam.review.log.lock import lock_log
from napari_segcam.review.log.mask_files import checksum, read_mask, write_mask
from napari_segcam.review.log.reading import read_log
from napari_segcam.review.log.state import History, RaterState, state_of
from napari_segcam.review.log.writer import Entry, LogWriter, SaveFiles
from napari_segcam.review.readings import Reading
from napari_segcam.version import __version__

LOG_FILE = "log.jsonl"
MASK_FOLDER = "masks"

_CLOSE_SECONDS = 10.0

SomeEvent = TypeVar("SomeEvent", bound=Event)


class RaterLog:
    """One at a time for each rater, in one thread; the callbacks come from the writer's thread.

    Args:
        folder: of the rater; created if it is missing.
        rater: the name, for messages.

    Attributes:
        rater: as above.
        warnings: what could not be read when the log was opened, in words.
        events: all of them, in order.
        state: what follows from them.
        on_saved: called with the number of the last event that is on disk.
        on_error: called with why nothing can be written, and with "" when it works again.

    Raises:
        SegcamError: if another program has the log open, or it cannot be read, or a later version has written it.
    """

    def __init__(self, folder: Path, rater: str) -> None:
        self.rater = rater
        self.on_saved: Callable[[int], None] = lambda _number: None
        self.on_error: Callable[[str], None] = lambda _message: None
        self._folder = folder
        self._session = uuid.uuid4().hex[:8]
        self._masks: dict[str, NDArray[np.uint8]] = {}  # not on disk yet
        self._masks_lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SegcamError(f"{folder} cannot be made: {error_text(error)}.") from error
        self._lock = lock_log(folder, rater)
        try:
            content = read_log(folder / LOG_FILE)
            self._cut_torn_line(content.whole_bytes, content.torn)
        except BaseException:
            self._lock.release()
            raise
        self.warnings: list[str] = content.warnings
        self.events: list[AnyEvent] = content.events
        self.state: RaterState = state_of(self.events)
        self._history = History()
        for event in self.events:
            self._history.apply(event)
        self._next_number = 1 + max((event.n for event in self.events), default=0)
        self._writer = LogWriter(
            folder / LOG_FILE, lambda number: self.on_saved(number), lambda message: self.on_error(message)
        )
        self.append(Started(program=__version__))

    def append(self, event: SomeEvent, save_files: SaveFiles | None = None) -> SomeEvent:
        """Number an event, take it into the state and queue it for the disk; return it with its number.

        Args:
            event: what happened.
            save_files: writes the files that the event names, before its line is written.
        """
        numbered = event.model_copy(update={"n": self._next_number, "session": self._session})
        known = cast("AnyEvent", numbered)
        self._writer.put(Entry(numbered.n, to_line(known), save_files))
        self._next_number += 1
        self.events.append(known)
        self._history.apply(known)
        if isinstance(known, Undo | Redo):
            self.state = state_of(self.events)
        else:
            self.state.apply(known)
        return numbered

    def correct(
        self,
        reading: Reading,
        frame: int,
        labels: NDArray[np.uint8] | None,
        *,
        of_class: str = "",
        started_from: NDArray[np.uint8] | None = None,
        names: Mapping[int, str] | None = None,
        checkpoint: str = "A",
        threshold: float | None = None,
    ) -> Correction:
        """Append the mask of a frame as the rater has painted it.

        Args:
            reading: of the case.
            frame: its number.
            labels: ``(Y, X)``, copied; None if the correction was discarded.
            of_class: the class, if classes may overlap.
            started_from: ``(Y, X)``, the predicted mask that the correction began with.
            names: of the labels.
            checkpoint: whose prediction it corrects.
            threshold: of that prediction.
        """
        sums = [None if mask is None else checksum(mask) for mask in (labels, started_from)]
        kept = {
            sha256: mask.copy()
            for sha256, mask in zip(sums, (labels, started_from), strict=True)
            if sha256 is not None and mask is not None
        }
        event = Correction(
            case=reading.case,
            repeat=reading.repeat,
            frame=frame,
            of_class=of_class,
            mask=sums[0],
            started_from=sums[1],
            names=dict(names or {}),
            checkpoint=checkpoint,
            threshold=threshold,
        )
        with self._masks_lock:
            self._masks |= kept
        return self.append(event, lambda: self._write_masks(kept))

    def labels(self, sha256: str) -> NDArray[np.uint8]:
        """Return a mask ``(Y, X)`` of the log.

        Raises:
            SegcamError: if its file is missing or damaged.
        """
        with self._masks_lock:
            waiting = self._masks.get(sha256)
        return read_mask(self._folder / MASK_FOLDER, sha256) if waiting is None else waiting.copy()

    # Undo

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to take back."""
        return bool(self._history.done)

    @property
    def can_redo(self) -> bool:
        """Whether something was taken back, and nothing was done since."""
        return bool(self._history.undone)

    def undo(self) -> AnyEvent | None:
        """Take back the newest event that can be; return it, or None if there is none."""
        if not self._history.done:
            return None
        event = self._history.done[-1]
        self.append(Undo(undone=event.n))
        return event

    def redo(self) -> AnyEvent | None:
        """Let the event count again that was taken back last; return it, or None if there is none."""
        if not self._history.undone:
            return None
        event = self._history.undone[-1]
        self.append(Redo(redone=event.n))
        return event

    # The disk

    @property
    def unsaved(self) -> int:
        """How many events are not on disk yet."""
        return self._writer.unsaved

    @property
    def failure(self) -> str:
        """Why nothing can be written; empty if it can."""
        return self._writer.failure

    def flush(self, seconds: float = _CLOSE_SECONDS) -> bool:
        """Wait until everything is on disk, but no longer than this; return whether it is."""
        return self._writer.flush(seconds)

    def close(self, seconds: float = _CLOSE_SECONDS) -> bool:
        """Write what waits, but wait no longer than this, and release the log; return whether all is on disk."""
        is_complete = self._writer.close(seconds)
        self._lock.release()
        return is_complete

    def _write_masks(self, masks: Mapping[str, NDArray[np.uint8]]) -> None:
        for sha256, labels in masks.items():
            write_mask(self._folder / MASK_FOLDER, sha256, labels)
        with self._masks_lock:
            for sha256 in masks:
                self._masks.pop(sha256, None)

    def _cut_torn_line(self, whole_bytes: int, torn: bytes) -> None:
        """Move the beginning of a line that was never finished to a file of its own, so that the log is whole again."""
        if not torn:
            return
        path = self._folder / LOG_FILE
        try:
            with (self._folder / "log.torn").open("ab") as file:
                file.write(torn + b"\n")
            with path.open("r+b") as file:
                file.truncate(whole_bytes)
                os.fsync(file.fileno())
        except OSError as error:
            raise SegcamError(f"{path} cannot be written: {error_text(error)}.") from error
