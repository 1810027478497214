"""A bar in napari's activity dock for each wait of a session that is longer than a second."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari.utils import progress as napari_progress
from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_DELAY_MS = 1000  # a shorter wait needs no bar
_REFRESH_MS = 500


class SessionActivity(QObject):
    """One per session, as its child: shows runs over frames, jobs that the user waits for, and other jobs.

    Jobs in the background have a bar of their own, from ``Background``.
    """

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self._bars: list[Any] = []  # none or one
        self._soon = QTimer(self, singleShot=True, interval=_DELAY_MS)
        self._soon.timeout.connect(self._show)
        self._again = QTimer(self, interval=_REFRESH_MS)
        self._again.timeout.connect(self._show)
        session.job_changed.connect(self._follow)
        session.worker.submitted.connect(self._follow)
        weakref.finalize(self, _close, self._bars)

    @property
    def text(self) -> str:
        """What the worker does, in words; empty if it does nothing that is worth a bar."""
        session = self._session
        if session.is_busy:
            return session.title
        job = session.worker.present_job
        return "" if job is None else job.title

    def _follow(self) -> None:
        if self._bars:
            if not self.text:
                self._end()
        elif not self._soon.isActive():
            self._soon.start()

    def _show(self) -> None:
        text = self.text
        if not text:
            self._end()
            return
        done, total = self._session.progress if self._session.is_busy else (0, 0)
        if not self._bars:
            self._bars.append(napari_progress(desc=text, total=total))  # a total of 0 is shown as busy
            self._again.start()
        bar = self._bars[0]
        if bar.desc.removesuffix(": ") != text:
            bar.set_description(text)
        if (bar.n, bar.total) != (done, total):
            bar.total, bar.n = total, done
            bar.refresh()

    def _end(self) -> None:
        self._again.stop()
        _close(self._bars)


def _close(bars: list[Any]) -> None:
    while bars:
        bars.pop().close()
