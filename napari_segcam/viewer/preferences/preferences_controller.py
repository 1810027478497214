"""The preferences of a session: written by the worker, and applied at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from weakref import WeakSet

from qtpy.QtCore import QObject, Signal

from napari_segcam.preferences.catalog import Value
from napari_segcam.preferences.present import on_change, preferences, prepare_change, problems
from napari_segcam.viewer.mendable_errors import show_error, show_info, show_warning
from napari_segcam.viewer.preferences.applying import device_job, threads_job, tiles_job
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.losses import ask_before_loading
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_HEAT = {"colormap", "opacity", "heat_threshold"}
_NEXT_WINDOW = "This preference acts when napari is started again."
_OWN_LOOK = "The open review keeps its own heat colors: change them in Grad-CAM. The preference is for other images."
_said: set[str] = set()  # problems are said once in a process, not in each window


class PreferencesController(QObject):
    """One per session, as its child; found by ``controller_of``.

    Attributes:
        choices: where the user chooses a device. They load the network again, in the way that they were asked to, when
            Auto has become another device. Without any, the controller does.
    """

    changed = Signal(object)
    moved = Signal()

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self.choices: WeakSet[QObject] = WeakSet()
        on_change(self._on_change)
        for problem in problems():
            if problem not in _said:
                _said.add(problem)
                show_warning(problem)

    def change(self, changes: Mapping[str, Value]) -> None:
        """Change preferences at once, in all windows of this process; the worker writes the file.

        Raises:
            SegcamError: if a value is not allowed; then nothing has changed.
        """
        if not changes:
            return
        write = prepare_change(changes)

        def work() -> Iterator[None]:
            write()
            yield None

        self._session.submit(Job("preferences", "Saving the preferences", work, on_done=_say))

    def _on_change(self, names: frozenset[str]) -> None:
        session = self._session
        if names & _HEAT and controller_of(session, ProjectController).settings.keeps_look:
            show_info(_OWN_LOOK)
        elif names & _HEAT and (layers := session.layers()) is not None:
            wanted = preferences()
            layers.style(wanted.colormap, wanted.opacity, wanted.heat_threshold)
        if "threads" in names:
            session.submit(threads_job())
        if "device" in names and session.network is not None:
            session.submit(device_job(session.network, self._move, show_error))
        if "memory_gb" in names and (review := session.review) is not None:
            jobs, plan = review.frame_jobs, review.plan
            if plan is not None and review.progress()[0]:
                session.submit(tiles_job(plan, jobs.explainers, jobs.tiles_text, show_info))
        if "plain_napari" in names:
            show_info(_NEXT_WINDOW)
        self.changed.emit(names)

    def _move(self) -> None:
        """Load the network again, since the preferred device is another one than it is on."""
        session = self._session
        if self.choices:
            self.moved.emit()
            return
        source, network = session.source, session.network
        if source is not None and network is not None:
            session.question = ask_before_loading(session, lambda: session.load(source, "auto", network.card))


def _say(error: str | None) -> None:
    if error is not None:
        show_error(error)
