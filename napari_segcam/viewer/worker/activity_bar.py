"""A bar with Cancel in napari's activity dock, for one kind of work that may take longer than a second."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.utils.progress import cancelable_progress, progress
from qtpy.QtCore import QObject, QTimer

DELAY_MS = 1000  # a shorter wait needs no bar
REFRESH_MS = 500


@dataclass(frozen=True)
class Activity:
    """What is being done, and how far it is.

    Attributes:
        words: what is done.
        cancel: stops it; None where it cannot be stopped.
        done, total: steps; a total of 0 where nobody knows it.
    """

    words: str
    cancel: Callable[[], None] | None
    done: int = 0
    total: int = 0


class ActivityBar(QObject):
    """Shows an activity in the dock while it lasts; a click on Cancel there stops it.

    The bar is drawn from a timer: napari handles all events that wait whenever a bar moves, which must not happen
    within a callback of a job.

    Args:
        parent: with which the bar goes.
        activity: returns what is done now; None if nothing is.
    """

    def __init__(self, parent: QObject, activity: Callable[[], Activity | None]) -> None:
        super().__init__(parent)
        self._activity = activity
        self._bars: list[_Bar | _StoppableBar] = []  # none or one
        self._soon = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._soon.timeout.connect(self._show)
        self._again = QTimer(self, interval=REFRESH_MS)
        self._again.timeout.connect(self._show)
        weakref.finalize(self, _close, self._bars)

    def follow(self) -> None:
        """Look at what is done, which has begun, changed or ended."""
        if self._bars:
            if self._activity() is None:
                self._end()
        elif not self._soon.isActive():
            self._soon.start()

    def _show(self) -> None:
        activity = self._activity()
        if activity is None:
            self._end()
            return
        kind = _Bar if activity.cancel is None else _StoppableBar
        if self._bars and type(self._bars[0]) is not kind:
            _close(self._bars)
        if not self._bars:
            self._bars.append(kind(desc=activity.words, total=activity.total))  # a total of 0 is shown as busy
            self._again.start()
        self._bars[0].show(activity)

    def _end(self) -> None:
        self._again.stop()
        _close(self._bars)


class _Bar(progress):
    """One of napari's bars."""

    def show(self, activity: Activity) -> None:
        """Draw how far an activity is; events that wait are handled, so the bar may be closed meanwhile."""
        _draw(self, activity)


class _StoppableBar(cancelable_progress):
    """One of napari's bars with Cancel; it stops the activity that it shows."""

    _stop: Callable[[], None] | None = None

    def show(self, activity: Activity) -> None:
        """Draw how far an activity is; events that wait are handled, so the bar may be closed meanwhile."""
        self._stop = activity.cancel
        _draw(self, activity)

    def cancel(self) -> None:
        """Stop the activity; napari calls this for a click on Cancel."""
        super().cancel()
        if self._stop is not None:
            self._stop()


def _draw(bar: Any, activity: Activity) -> None:
    if bar.total != activity.total:
        bar.total = activity.total
    if bar.n != activity.done:
        bar.n = activity.done
        bar.events.value(value=activity.done)
    if bar.desc.removesuffix(": ") != activity.words:
        bar.set_description(activity.words)


def _close(bars: list[Any]) -> None:
    while bars:
        bars.pop().close()
