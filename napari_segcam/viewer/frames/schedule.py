"""The schedule: which frame is computed next. The one in view always comes first, then those the user moves to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# "this": one frame; "follow": whatever comes into view, and what lies ahead; "all": these first, then the whole cine.
Scope = Literal["this", "follow", "all"]

_AHEAD = 8  # frames computed ahead of one in view while following


class Schedule:
    """Told by the UI thread what is in view and what is missing; asked by the worker for what is next.

    Nothing queues: the worker asks only when it is free, and gets what is needed most at that moment.

    Attributes:
        at: the frame in view.
        scope: what is asked for; None for nothing.
    """

    def __init__(self, frames: int) -> None:
        self.at = 0
        self._lock = threading.Lock()
        self._since = -np.inf
        self._direction = 1
        self._missing = np.zeros(frames, bool)
        self._taken: set[int] = set()
        self.scope: Scope | None = None
        self._single = 0
        self._room = frames

    def start(self, scope: Scope, missing: Iterable[int]) -> None:
        """Have these frames computed, as far as the scope goes, which may start with the frame in view."""
        with self._lock:
            self.scope, self._single = scope, self.at
            self._missing[:] = False
            self._missing[list(missing)] = True

    def stop(self) -> None:
        """Have nothing computed until the next start."""
        with self._lock:
            self.scope = None

    def look_at(self, frame: int) -> None:
        """The user has come to this frame."""
        with self._lock:
            if frame in (0, len(self._missing) - 1):  # there is but one way to go
                self._direction = 1 if frame == 0 else -1
            elif frame != self.at:
                self._direction = 1 if frame > self.at else -1
            if frame != self.at:
                self._since = time.monotonic()
            self.at = frame

    def limit(self, room: int) -> None:
        """Have no more frames computed than there is room for: those nearest to the one in view."""
        with self._lock:
            self._room = max(1, room)

    def want(self, frame: int) -> None:
        """Have this frame computed: for the first time, or again."""
        with self._lock:
            self._missing[frame] = True

    def take(self) -> int | None:
        """The frame to compute now; None if there is none."""
        with self._lock:
            wanted = self._wanted()
            if not len(wanted):
                return None
            frame = int(wanted[0])
            self._missing[frame] = False
            self._taken.add(frame)
            return frame

    def end(self, frame: int) -> None:
        """A frame that was taken is through, whether it has come to anything or not."""
        with self._lock:
            self._taken.discard(frame)

    def is_view_missing(self) -> bool:
        """Whether the frame in view is the next to be taken."""
        with self._lock:
            return self.at in self._wanted()[:1]

    def is_resting(self, seconds: float) -> bool:
        """Whether the frame in view has been so for this long."""
        with self._lock:
            return time.monotonic() - self._since >= seconds

    def awaits(self, frame: int) -> bool:
        """Whether a frame is still to be taken, or to come to an end."""
        with self._lock:
            return frame in self._taken or frame in self._wanted()

    def remaining(self) -> int:
        """How many frames are still to be taken, or to come to an end."""
        with self._lock:
            return len(self._wanted()) + len(self._taken)

    def distances(self) -> NDArray[np.float64]:
        """``(T,)``: how little each frame is needed; a frame behind the user counts as twice as far as one ahead."""
        with self._lock:
            return self._distances()

    def _distances(self) -> NDArray[np.float64]:
        ahead = (np.arange(len(self._missing)) - self.at) * float(self._direction)
        return np.where(ahead >= 0, ahead, -2 * ahead + 0.5)

    def _wanted(self) -> NDArray[np.intp]:
        """The missing frames that the scope asks for, the most needed first."""
        if self.scope is None:
            return np.empty(0, np.intp)
        if self.scope == "this":
            return np.array([self._single] if self._missing[self._single] else [], np.intp)
        nearest = np.argsort(self._distances(), kind="stable")[: self._room]
        if self.scope == "follow":
            ahead = (nearest - self.at) * self._direction
            nearest = nearest[(ahead >= 0) & (ahead <= _AHEAD)]
        return nearest[self._missing[nearest]]
