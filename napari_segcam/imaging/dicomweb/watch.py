"""The watch over one connection: it ends when the user cancels, or when the server is silent or far too slow."""

from __future__ import annotations

import time
from collections.abc import Callable

from napari_segcam.errors import SegcamError

POLL_SECONDS = 0.1
"""How often a waiting connection asks whether it was cancelled."""

SLOWEST = 1024
"""Bytes per second; a server that is slower than this for its whole timeout is given up."""

ANSWER_SECONDS = 120.0
"""The longest time for an answer that is not a file, such as the results of a search."""

FILE_SECONDS = 3600.0
"""The longest time for one file."""


class CancelledError(SegcamError):
    """The user has cancelled."""


class ServerError(SegcamError):
    """The server did not do what was asked.

    Attributes:
        status: of the HTTP answer; None if there was none.
        is_sent: whether the server may have taken in what was sent before the connection failed.
    """

    def __init__(self, message: object, *, status: int | None = None, is_sent: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.is_sent = is_sent


def never() -> bool:
    return False


class Watch:
    """Limits of time of the request that is under way.

    Args:
        name: of the server, for errors.
        timeout_s: the longest silence, in seconds.
        cancelled: tells whether the user has cancelled.
    """

    def __init__(self, name: str, timeout_s: float, cancelled: Callable[[], bool] = never) -> None:
        self.name = name
        self._timeout_s = timeout_s
        self._cancelled = cancelled
        self.begin(ANSWER_SECONDS)

    def begin(self, seconds: float) -> None:
        """Begin a request.

        Args:
            seconds: the longest time that it may take altogether.
        """
        now = time.monotonic()
        self._seconds = seconds
        self._end = now + seconds
        self._last = now
        self._window_start: float | None = None
        self._window_bytes = 0
        self._is_receiving = False
        self.has_sent = self.has_received = False

    def moved(self, count: int) -> None:
        """Note that so many bytes were sent or received."""
        now = time.monotonic()
        if self._is_receiving:
            self.has_received |= count > 0
        else:
            self.has_sent = True
        if count:
            self._last = now
        if self._window_start is None:
            self._window_start, self._window_bytes = now, 0
        self._window_bytes += count

    def check(self, *, receiving: bool = False) -> None:
        """Raise an error if it is time to end.

        Args:
            receiving: whether all is sent and an answer is awaited; the server may take its timeout to begin it.

        Raises:
            CancelledError: if the user has cancelled.
            ServerError: if the server is silent or too slow.
        """
        if self._cancelled():
            raise CancelledError(f"Cancelled; nothing that is incomplete is kept of {self.name}.")
        now = time.monotonic()
        if receiving and not self._is_receiving:
            self._is_receiving, self._window_start = True, None
        if now - self._last > self._timeout_s:
            raise ServerError(
                f"{self.name} has been silent for {self._timeout_s:g} s. Try again later, or ask its administrator.",
                is_sent=self.has_sent,
            )
        if now > self._end:
            raise ServerError(
                f"{self.name} has not finished after {self._seconds:g} s: it is too slow.", is_sent=self.has_sent
            )
        if self._window_start is not None and now - self._window_start > self._timeout_s:
            if self._window_bytes < SLOWEST * self._timeout_s:
                raise ServerError(
                    f"{self.name} is too slow: {self._window_bytes} bytes in {now - self._window_start:.0f} s.",
                    is_sent=self.has_sent,
                )
            self._window_start, self._window_bytes = now, 0
