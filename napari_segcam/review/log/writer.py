"""The writer: a thread that puts events on disk in their order, so that neither the window nor the network waits."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.errors import SegcamError, error_text

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0

SaveFiles = Callable[[], None]


@dataclass(frozen=True)
class Entry:
    """A line to append, and what must be on disk before it.

    Attributes:
        number: of the event.
        line: without its end.
        save_files: writes the files that the event names; raises a SegcamError if that fails.
    """

    number: int
    line: bytes
    save_files: SaveFiles | None = None


class LogWriter:
    """Appends entries to a file. Every method is for any thread.

    A failure is reported once and tried again until it works; the entries wait.

    Args:
        path: of the file, whose folder exists.
        on_saved: called in the writer's thread with the number of the last event that is on disk.
        on_error: called in the writer's thread with why nothing can be written, and with "" when it works again.
    """

    def __init__(self, path: Path, on_saved: Callable[[int], None], on_error: Callable[[str], None]) -> None:
        self._path = path
        self._on_saved = on_saved
        self._on_error = on_error
        self._waiting: deque[Entry] = deque()
        self._changed = threading.Condition()
        self._is_writing = False
        self._is_closed = False
        self._is_urgent = False
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name="segcam-review-log", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Queue an entry."""
        with self._changed:
            self._waiting.append(entry)
            self._changed.notify_all()

    @property
    def unsaved(self) -> int:
        """How many entries are not on disk yet."""
        with self._changed:
            return len(self._waiting)

    @property
    def failure(self) -> str:
        """Why nothing can be written; empty if it can."""
        with self._changed:
            return self._failure

    def flush(self, seconds: float) -> bool:
        """Wait until everything is on disk, but no longer than this; return whether it is."""
        deadline = time.monotonic() + seconds
        with self._changed:
            self._is_urgent = True  # try again at once
            self._changed.notify_all()
            while self._waiting and (left := deadline - time.monotonic()) > 0 and self._thread.is_alive():
                self._changed.wait(left)
            self._is_urgent = False
            return not self._waiting

    def close(self, seconds: float) -> bool:
        """End the thread once everything is on disk, but wait no longer than this; return whether it is."""
        is_complete = self.flush(seconds)
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(max(0.1, seconds))
        return is_complete

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if self._is_closed:
                    return
                batch = list(self._waiting)
            try:
                self._write(batch)
            except Exception as error:  # the thread must survive any defect: what waits is a reader's work
                if not isinstance(error, SegcamError | OSError):
                    _log.exception("The review's log could not be written")
                self._fail(error)
            else:
                self._succeed(batch)

    def _write(self, batch: list[Entry]) -> None:
        for entry in batch:
            if entry.save_files is not None:
                entry.save_files()
        content = b"".join(entry.line + b"\n" for entry in batch)
        # Unbuffered, appended in one call: a kill can cut off this call, but never loses what an earlier one wrote.
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            start = os.fstat(file).st_size
            try:
                written = 0
                while written < len(content):
                    written += os.write(file, content[written:])
                os.fsync(file)
            except OSError:
                os.ftruncate(file, start)  # no half line before the next attempt
                raise
        finally:
            os.close(file)

    def _succeed(self, batch: list[Entry]) -> None:
        with self._changed:
            for _entry in batch:
                self._waiting.popleft()
            had_failed, self._failure = bool(self._failure), ""
            self._changed.notify_all()
        if had_failed:
            self._on_error("")
        self._on_saved(batch[-1].number)

    def _fail(self, error: Exception) -> None:
        message = str(error) if isinstance(error, SegcamError) else f"{self._path}: {error_text(error)}."
        with self._changed:
            is_new, self._failure = message != self._failure, message
        if is_new:
            self._on_error(message)
        with self._changed:
            if not self._is_closed and not self._is_urgent:
                self._changed.wait(_RETRY_SECONDS)
            elif not self._is_closed:
                self._changed.wait(_RETRY_SECONDS / 10)
