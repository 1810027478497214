"""The schedule: which frame is computed next. The one in view always comes first, then those the user moves to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# "current": one frame; "visited": every frame that comes into view, and a few ahead; "all": these first, then the rest.
Scope = Literal["current", "visited", "all"]

_AHEAD = 8  # frames computed ahead of the one in view, of visited frames


class Schedule:
    """Knows which frame is in view and which are missing, and gives the worker the next one.

    Nothing queues: the worker asks only when it is free, and gets the frame that is needed most at that moment.
    The UI thread calls everything but ``take_next``, ``is_current_frame_next`` and ``has_stayed``.

    Attributes:
        current_frame: the frame in view.
        scope: which frames to compute; None for none.
    """

    def __init__(self, frames: int) -> None:
        self.current_frame = 0
        self._lock = threading.Lock()
        self._in_view_since = -np.inf
        self._direction = 1
        self._missing = np.zeros(frames, bool)
        self._taken: set[int] = set()
        self.scope: Scope | None = None
        self._single_frame = 0
        self._capacity = frames

    def start(self, scope: Scope, missing: Iterable[int]) -> None:
        """Compute these frames, as far as the scope goes, which starts from the frame in view."""
        with self._lock:
            self.scope, self._single_frame = scope, self.current_frame
            self._missing[:] = False
            self._missing[list(missing)] = True

    def stop(self) -> None:
        """Compute nothing until the next start."""
        with self._lock:
            self.scope = None

    def set_current_frame(self, frame: int) -> None:
        """Follow the user to this frame."""
        with self._lock:
            if frame in (0, len(self._missing) - 1):  # from here there is one way to go
                self._direction = 1 if frame == 0 else -1
            elif frame != self.current_frame:
                self._direction = 1 if frame > self.current_frame else -1
            if frame != self.current_frame:
                self._in_view_since = time.monotonic()
            self.current_frame = frame

    def set_capacity(self, frames: int) -> None:
        """Compute no more frames than there is memory for: those nearest to the one in view."""
        with self._lock:
            self._capacity = max(1, frames)

    def mark_missing(self, frame: int) -> None:
        """Compute this frame, for the first time or again."""
        with self._lock:
            self._missing[frame] = True

    def take_next(self) -> int | None:
        """Return the frame to compute now; None if there is none."""
        with self._lock:
            pending = self._pending()
            if not len(pending):
                return None
            frame = int(pending[0])
            self._missing[frame] = False
            self._taken.add(frame)
            return frame

    def finish(self, frame: int) -> None:
        """Note that the worker is done with a frame, with or without a result."""
        with self._lock:
            self._taken.discard(frame)

    def is_current_frame_next(self) -> bool:
        """Whether the frame in view is the next to compute."""
        with self._lock:
            return self.current_frame in self._pending()[:1]

    def has_stayed(self, seconds: float) -> bool:
        """Whether the current frame has been in view for this long."""
        with self._lock:
            return time.monotonic() - self._in_view_since >= seconds

    def is_pending(self, frame: int) -> bool:
        """Whether a frame is being computed, or still to be."""
        with self._lock:
            return frame in self._taken or frame in self._pending()

    def pending_count(self) -> int:
        """Return how many frames are being computed, or still to be."""
        with self._lock:
            return len(self._pending()) + len(self._taken)

    def distances(self) -> NDArray[np.float64]:
        """Return how little each frame is needed, ``(T,)``; a frame behind counts as twice as far as one ahead."""
        with self._lock:
            return self._distances()

    def _distances(self) -> NDArray[np.float64]:
        ahead = (np.arange(len(self._missing)) - self.current_frame) * float(self._direction)
        return np.where(ahead >= 0, ahead, -2 * ahead + 0.5)

    def _pending(self) -> NDArray[np.intp]:
        """Return the missing frames within the scope, the one needed most first."""
        if self.scope is None:
            return np.empty(0, np.intp)
        if self.scope == "current":
            return np.array([self._single_frame] if self._missing[self._single_frame] else [], np.intp)
        nearest = np.argsort(self._distances(), kind="stable")[: self._capacity]
        if self.scope == "visited":
            ahead = (nearest - self.current_frame) * self._direction
            nearest = nearest[(ahead >= 0) & (ahead <= _AHEAD)]
        return nearest[self._missing[nearest]]
