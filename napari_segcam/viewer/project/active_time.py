"""The time that a rater is at work on a case: pauses without any action do not count."""

from __future__ import annotations

import time

from napari.components import ViewerModel

from napari_segcam.review.log.events import CaseLeft
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.project.open_project import OpenProject

PAUSE_SECONDS = 30.0  # without an action, after which the rater counts as away


class ActiveTime:
    """Measures how long the case in view is worked on, and appends it when the case leaves.

    Moving the mouse over the canvas, the camera and the frames counts as work, and so does all that the log keeps.
    """

    def __init__(self, viewer: ViewerModel, project: OpenProject) -> None:
        self._project = project
        self._seconds = 0.0
        self._latest: float | None = None  # of the actions; None while no case is in view
        for event in (viewer.cursor.events.position, viewer.dims.events.current_step, viewer.scene.camera.events.zoom):
            event.connect(self.note)
        project.state_changed.connect(self.note)

    @property
    def seconds(self) -> float:
        """How long the case in view has been worked on."""
        return self._seconds

    def start(self) -> None:
        """Measure from now on."""
        self._seconds, self._latest = 0.0, time.monotonic()

    def note(self, _event: object = None) -> None:
        """Note an action of the rater."""
        if self._latest is not None:
            now = time.monotonic()
            self._seconds += min(now - self._latest, PAUSE_SECONDS)
            self._latest = now

    def stop(self, reading: Reading) -> None:
        """Append how long the rater was at work on a reading, which leaves the view."""
        if self._latest is None:
            return
        self.note()
        self._latest = None
        self._project.append(CaseLeft(case=reading.case, repeat=reading.repeat, active_seconds=round(self._seconds, 1)))
