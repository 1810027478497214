"""Shared by the benchmarks of the window."""

from __future__ import annotations

import time

from qtpy.QtCore import QEventLoop, QTimer

_TICK_MS = 5


class Gaps:
    """Gaps between the ticks of a timer in the UI thread, in ms."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(_TICK_MS)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps.append((now - self._last) * 1000)
        self._last = now

    def stop(self) -> list[float]:
        self._timer.stop()
        return self.gaps


def wait(milliseconds: int) -> None:
    """Run the window's event loop for a while."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
