"""A bar in napari's activity dock for each wait of a session that is longer than a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_segcam.viewer.worker.activity_bar import Activity, ActivityBar

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class SessionActivity(QObject):
    """One per session, as its child: shows runs over frames, the worker's other jobs, and those in the background.

    Jobs in other threads have bars of their own.
    """

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        bar = ActivityBar(self, self.activity)
        session.job_changed.connect(bar.follow)
        session.worker.submitted.connect(bar.follow)
        session.worker.submitted.connect(ActivityBar(self, self.in_background).follow)

    def activity(self) -> Activity | None:
        """Return what the worker does; None if it does nothing that is worth a bar."""
        session = self._session
        if session.is_busy:
            return Activity(session.title, session.cancel, *session.progress)
        job = session.worker.present_job
        return None if job is None or job.is_elsewhere else Activity(job.title, job.stop)

    def in_background(self) -> Activity | None:
        """Return what the worker does whenever nothing else is asked for; None if there is nothing."""
        job = self._session.worker.background_job
        return None if job is None or job.is_elsewhere else Activity(job.title, job.stop or job.cancel)
