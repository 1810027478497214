"""The open review project of a session: its log, the reading in view, and the way from one reading to the next."""

from __future__ import annotations

import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal

from napari_segcam.review.log.events import AnyEvent, CaseDone, CaseOpened, CaseProblem
from napari_segcam.review.log.rater_log import RaterLog
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.mendable_errors import show_warning
from napari_segcam.viewer.project.active_time import ActiveTime
from napari_segcam.viewer.project.case_opening import OpenedCase, case_job
from napari_segcam.viewer.project.closing import ClosingGuard
from napari_segcam.viewer.project.corrections import KeptCorrections
from napari_segcam.viewer.project.history import History
from napari_segcam.viewer.project.kept_input import restore_input
from napari_segcam.viewer.project.kept_settings import KeptSettings
from napari_segcam.viewer.project.kept_view import KeptView
from napari_segcam.viewer.project.network_runs import NetworkRuns
from napari_segcam.viewer.project.open_project import OpenProject
from napari_segcam.viewer.project.opening import OpenedProject, ProjectPlan, create_job, open_job
from napari_segcam.viewer.project.prefetch import Prefetch
from napari_segcam.viewer.project.undo_keys import UndoKeys

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class ProjectController(OpenProject):
    """One per session, as its child; found by ``controller_of``. All of it is for the UI thread.

    Attributes:
        settings: of the window, which hold for all cases.
        prefetch: prepares the next case.
    """

    _writing_failed = Signal(str)

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._open_logs: list[RaterLog] = []
        weakref.finalize(self, _close_all, self._open_logs)
        self._frame: int | None = None  # to go to, once the image is there
        self._readings: list[Reading] = []
        self._listed: list[Reading] = []
        self._direction = 1
        self.settings = KeptSettings(session, self)
        self._corrections = KeptCorrections(session, self)
        self._history = History(session, self, self._corrections, self.go_to)
        self._view = KeptView(session, self, self.settings)
        self._runs = NetworkRuns(session, self, self.settings)
        self._time = ActiveTime(session.viewer, self)
        self.prefetch = Prefetch(session, self, self._runs)
        self._closing = ClosingGuard(session, self, self.keep_view)
        self._undo_keys = UndoKeys(session, self, self._history)
        self._writing_failed.connect(self._on_writing)

    # What is open

    @property
    def readings(self) -> list[Reading]:
        """The readings of the rater, in their order."""
        return self._readings

    @property
    def has_network(self) -> bool:
        """Whether the network of the project is loaded."""
        return self.project is not None and self._runs.is_loaded

    @property
    def has_other_network(self) -> bool:
        """Whether a network is loaded that is not the one of the project, whose masks are not those to judge."""
        return self.project is not None and self._session.network is not None and not self._runs.is_loaded

    @property
    def listed(self) -> list[Reading]:
        """The readings to step through, in this order: all, or those of the list that is sorted and filtered."""
        return self._listed

    @listed.setter
    def listed(self, readings: list[Reading]) -> None:
        self._listed = list(readings)

    # Opening and closing

    def open(self, folder: Path | str, rater: str, images: Path | str | None = None) -> None:
        """Open a project in the background, in place of the one that is open.

        Args:
            folder: of the project.
            rater: who reads.
            images: the folder of its images, if they were moved.
        """
        if self.project is not None and self.project.folder.resolve() == Path(folder).resolve():
            self.close()  # its log can be open once only
        self.reader.start(
            f"Opening {Path(folder).name}",
            open_job(Path(folder), rater, None if images is None else Path(images), self._use),
        )

    def create(self, new: ProjectPlan, rater: str) -> None:
        """Make a project in the background, and open it for this rater."""
        job = create_job(new, self.reader.said.emit, lambda: self.open(new.folder, rater))
        self.reader.start(job.title, job, self._session.worker)  # it loads the network once

    def close(self) -> bool:
        """Close the project; return whether all of the rater's work is on disk."""
        self.reader.cancel()
        if self.log is None:
            return True
        self._leave()
        self.layers.remove_retired()
        log, self.log, self.project, self._reading, self._readings, self._listed = self.log, None, None, None, [], []
        self.prefetch.drop()
        self._open_logs.clear()
        is_complete = log.close()
        self.failure = ""
        self.closed.emit()
        self.reading_changed.emit()
        return is_complete

    def _use(self, opened: OpenedProject) -> None:
        """Work with a project that was opened."""
        self.close()
        project, log = opened.project, opened.log
        self.project, self.log, self.rater = project, log, log.rater
        self._open_logs.append(log)
        self._readings = self._listed = project.readings(log.rater)
        controller = weakref.ref(self)
        log.on_saved = lambda number: _emit(controller, "saved", number)
        log.on_error = lambda message: _emit(controller, "_writing_failed", message)
        for warning in (*opened.warnings, *log.warnings):
            show_warning(warning)
        self.settings.restore(log.state.settings)
        self._runs.use(project, opened.changed_checkpoints)
        self.opened.emit()
        last = log.state.last_reading
        first_open = next((reading for reading in self._readings if not log.state.of(reading).is_done), None)
        start = last if last in self._readings else first_open or next(iter(self._readings), None)
        if start is not None:
            self.go_to(start)

    def _on_writing(self, message: str) -> None:
        """Tell the user that nothing can be written, once; and that it works again."""
        self.failure = message
        if message:
            self.error.emit(message)
            show_warning(f"Your work is not being saved: {message} It is kept in memory and tried again.")
        self.state_changed.emit()

    # From reading to reading

    def go_to(self, reading: Reading, frame: int | None = None) -> None:
        """Bring a reading into view; the one in view is kept as it is and leaves.

        Args:
            reading: as above.
            frame: that comes into view; by default the one where it was left.
        """
        if self.project is None or self.log is None:
            return
        if reading == self._reading and (self.layers.is_shown or self.reader.is_busy):
            return
        self._leave()
        self._reading, self._frame = reading, frame
        prepared = self.prefetch.take(reading)
        if prepared is not None:
            self._show(prepared)
        else:
            job = case_job(self.project, self.log, reading, self._show, self._fail)
            self.reader.start(job.title, job)
            self.reading_changed.emit()

    def step(self, direction: int, *, not_done: bool = False) -> Reading | None:
        """Go to the next reading (1) or the one before (-1) and return it; None if there is none.

        Args:
            direction: as above.
            not_done: whether to skip those that are done.
        """
        readings, self._direction = self._listed, direction
        here = readings.index(self._reading) if self._reading in readings else -1 if direction > 0 else len(readings)
        there = readings[here + 1 :] if direction > 0 else readings[:here][::-1]
        found = next((other for other in there if not (not_done and self.state_of(other).is_done)), None)
        if found is not None:
            self.go_to(found)
        elif readings:
            kind = "case that is not done " if not_done else "case "
            self._session.viewer.status = f"There is no {kind}{'after' if direction > 0 else 'before'} this one."
        return found

    def keep_view(self) -> None:
        """Append the view now, settled or not, since the window closes."""
        if self.reading is not None:
            self._view.keep_now(self.reading)

    def request(self) -> RunRequest | None:
        """Return what is computed for each frame; None without a project or a network."""
        network = self._session.network
        return None if self.project is None or network is None else self._runs.request(network)

    def mark_done(self, done: bool = True) -> None:
        """Note that the rater has finished the reading in view, or takes it up again."""
        if (reading := self.reading) is not None:
            self.append(CaseDone(case=reading.case, repeat=reading.repeat, done=done))

    def finish(self) -> None:
        """Note that the reading in view is finished, and go to the next that is not."""
        if self.reading is not None:
            self.mark_done()
            self.step(1, not_done=True)

    def _show(self, opened: OpenedCase) -> None:
        """Show a case that was read, as it was left."""
        log = self.log
        if log is None or opened.reading != self._reading:
            return  # the rater has gone elsewhere since
        reading = opened.reading
        self.layers.show(opened)
        self.append(CaseOpened(case=reading.case, repeat=reading.repeat))
        if log.state.of(reading).problem:
            self.append(CaseProblem(case=reading.case, repeat=reading.repeat))
        review = self._session.review
        if review is not None:
            restore_input(self._session, review, log.state.of(reading).input_at())
            self._corrections.restore(review, reading, opened.corrections)
        self._view.restore(log.state.of(reading).view)
        if self._frame is not None:
            self._session.go_to(self._frame)
        for warning in opened.warnings:
            show_warning(warning)
        self.settings.apply()
        self._runs.run()
        self.layers.draw_now()
        self._time.start()
        self.reading_changed.emit()
        self.prefetch.plan(self._following(reading))

    def _fail(self, reading: Reading, message: str) -> None:
        """Note that a case cannot be shown, and say why."""
        if self.log is None or reading != self._reading:
            return
        self.append(CaseOpened(case=reading.case, repeat=reading.repeat))
        if self.log.state.of(reading).problem != message:
            self.append(CaseProblem(case=reading.case, repeat=reading.repeat, message=message))
        show_warning(message)
        self.reading_changed.emit()
        self.prefetch.plan(self._following(reading))

    def _following(self, reading: Reading) -> list[Reading]:
        """Return the readings that the rater will probably go to next, the likeliest first."""
        readings = self._listed if reading in self._listed else self._readings
        if reading not in readings:
            return []
        places = [readings.index(reading) + step for step in (self._direction, -self._direction)]
        near = [readings[place] for place in places if 0 <= place < len(readings)]
        return [other for other in near if self.state_of(other).status != "problem"]

    def _leave(self) -> None:
        """Keep what is in view, and remove its layers."""
        self.reader.cancel()
        reading, self._reading = self._reading, None
        if reading is None or not self.layers.is_shown:
            self.layers.retire()
            return
        self._view.keep_now(reading)
        self._time.stop(reading)
        self._corrections.let_go()
        self.layers.retire()

    # Undo

    def undo(self) -> AnyEvent | None:
        """Take back what the rater did last, and go where it was done; return it, or None if there is nothing."""
        return self._history.undo()

    def redo(self) -> AnyEvent | None:
        """Do again what was undone last, and go where it was done; return it, or None if there is nothing."""
        return self._history.redo()


def _close_all(logs: list[RaterLog]) -> None:
    for log in logs:
        log.close()


def _emit(controller: weakref.ref[ProjectController], name: str, value: object) -> None:
    """Emit a signal from the log's thread, as long as the window is there."""
    owner = controller()
    if owner is not None:
        with suppress(RuntimeError):  # Qt has deleted it
            getattr(owner, name).emit(value)
