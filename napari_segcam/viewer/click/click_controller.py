"""The tool that explains what the user points at: it asks, shows the answer, and returns to the mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from qtpy.QtCore import QObject, QTimer, Signal

from napari_segcam.viewer.click.asking import Asked, plan_of, show_asked, show_run
from napari_segcam.viewer.click.class_at import class_at, corrected_component
from napari_segcam.viewer.click.shapes import Position, box, frame_position, lasso, pixel_at, place, touches
from napari_segcam.viewer.frames.asked_words import place_words
from napari_segcam.viewer.frames.frame_results import FrameFailure, FrameResult, FrameUpdate
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.layers.frame_names import frame_in_words, frame_word
from napari_segcam.viewer.layers.placement import shows_frames
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.explanation.targets.region import At, Box, Polygon
    from napari_segcam.viewer.review.session import ReviewSession

Tool = Literal["point", "box", "lasso"]
TOOLS: tuple[Tool, ...] = ("point", "box", "lasso")
HINTS: dict[Tool, str] = {
    "point": "Click on a place to explain it",
    "box": "Drag a box to explain what is in it",
    "lasso": "Drag around a place to explain it",
}
_WAIT_MS = 400  # after which the canvas says that an answer is being computed: most come sooner
_PROGRESS_MS = 1500  # between two looks at how far a slow method is
_IDLE_SECONDS = 120.0  # how long the forward pass of the frame in view is kept while the tool is on


class ClickController(QObject):
    """One per session, as its child; found by ``controller_of``.

    In another frame the same place is asked about again: its component there, or the place itself.

    Attributes:
        tool: what the mouse does on the image; None while the tool is off.
        chosen_request: returns the method, the class and the stages that are chosen for a first run, or None.
        asked: the place that is asked about in the chosen image, or was last.
    """

    changed = Signal()

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self.tool: Tool | None = None
        self.chosen_request: Callable[[], RunRequest | None] = lambda: None
        self.asked: Asked | None = None
        self._job: Job | None = None
        self._job_of: tuple[Plan, int] | None = None
        self._asked_of: WeakKeyDictionary[Plan, Asked] = WeakKeyDictionary()
        self._failures: WeakKeyDictionary[Plan, dict[int, str]] = WeakKeyDictionary()
        self._shown: Plan | None = None
        self._is_waiting = False
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.timeout.connect(self._note_wait)
        session.reviews.notes.insert(0, self._notes)  # what the heat explains, before what it is worth
        for signal in (session.frame_changed, session.reviews.changed, session.image_changed, session.network_changed):
            signal.connect(self._follow)

    # The tool

    def set_tool(self, tool: Tool | None) -> None:
        """Turn the tool on or off; while a layer's own tool is in use, the layer goes back to pan and zoom."""
        self.tool = tool
        active: Any = self._session.viewer.layers.selection.active
        if tool is not None and active is not None and active.mode != "pan_zoom":
            active.mode = "pan_zoom"
        if self._session.review is not None:
            explainers = self._session.review.frame_jobs.explainers
            explainers.idle_seconds = type(explainers)().idle_seconds if tool is None else _IDLE_SECONDS
        self.changed.emit()
        self._session.reviews.changed.emit()

    def toggle(self) -> None:
        """Turn the tool on for clicks, or off."""
        self.set_tool(None if self.tool else "point")

    def next_tool(self) -> None:
        """Go from clicks to boxes, then to the lasso, then to clicks again."""
        self.set_tool(TOOLS[(TOOLS.index(self.tool) + 1) % len(TOOLS)] if self.tool else "point")

    # Asking

    @property
    def is_asked(self) -> bool:
        """Whether the heat explains a place that the user has asked about, or is about to."""
        review = self._session.review
        return self._job is not None or (review is not None and review.results.asked is not None)

    def ask_at(self, position: Position) -> None:
        """Ask about a position in the world of the viewer."""
        image = self._session.image
        pixel = None if image is None else pixel_at(image, position)
        if image is None or pixel is None:
            self._say(f"Nothing is explained there: it is outside the {frame_word(image)}.")
            return
        self._ask(place(image, *pixel), pixel)

    def ask_box(self, start: Position, end: Position) -> None:
        """Ask about a rectangle on the canvas, given by two opposite corners."""
        image = self._session.image
        region = None if image is None else box(self._session.viewer, image, start, end)
        if region is None:
            self._say(f"Nothing is explained: the box is outside the {frame_word(image)}.")
            return
        self._ask(region)

    def ask_lasso(self, positions: list[Position]) -> None:
        """Ask about what is within a closed line."""
        image = self._session.image
        region = None if image is None else lasso(image, [frame_position(image, position) for position in positions])
        if region is None:
            self._say(f"Nothing is explained: there is no pixel of the {frame_word(image)} within the line.")
            return
        self._ask(region)

    def back(self) -> None:
        """Return to the mask: show the heatmaps of the run again, as they were."""
        self._cancel()
        review = self._session.review
        if review is not None and review.results.asked is not None:
            show_run(review)
        self._update()

    def _ask(self, region: At | Box | Polygon, pixel: tuple[int, int] | None = None) -> None:
        session = self._session
        reason = session.missing() or session.reviews.hiding.reason_of_heat(session.image) or self._why_not(region)
        if reason is not None:
            self._say(reason)
            return
        review, network, frame = session.review, session.network, session.current_frame()
        assert review is not None
        assert network is not None
        run = review.plan
        if run is None or not run.stages:  # nothing is explained yet: the mask comes with the answer, and stays
            main = tuple(stage.name for stage in network.select("main"))
            session.run(self.chosen_request() or RunRequest(stages=main), "current")
            run = review.plan
            if run is None:
                return  # the session has said why
        found = None if pixel is None else class_at(session.viewer.layers, review, network, frame, pixel)
        asked = Asked(region, run.class_index if found is None else found, frame)
        shown = review.results.asked
        if shown is not None and asked == self._asked_of.get(shown) and shown.threshold == session.threshold:
            return  # the second click of a double click
        plan = plan_of(asked, network, review, run.request, session.threshold)
        if pixel is not None:
            plan = self._with_correction(plan, review, asked)
        self.asked, self._asked_of[plan] = asked, asked
        self._submit(review, plan, frame)

    def _with_correction(self, plan: Plan, review: Review, asked: Asked) -> Plan:
        pairs = review.layers.shown
        corrections = pairs[plan.mask_index].corrections
        component = corrected_component(corrections, plan.label, asked.region)  # type: ignore[arg-type]
        return plan_of(asked, plan.network, review, plan.request, plan.threshold, component)

    def _why_not(self, region: At | Box | Polygon) -> str | None:
        """Return why this region cannot be explained, in words; None if it can."""
        session = self._session
        review, network = session.review, session.network
        assert network is not None
        if review is None:
            return "This image has too many dimensions to be explained."
        word = frame_word(review.image)
        if not network.segments:
            return f"This network has one score for the whole {word}: there is no place of it to ask about."
        crop = review.input.source.crop
        if crop is None:
            return None
        return None if touches(region, review.image, crop) else f"The network does not see this part of the {word}."

    # Answers

    def _submit(self, review: Review, plan: Plan, frame: int) -> None:
        self._cancel()
        job = review.frame_jobs.asked_job(plan, frame, lambda update: self._take(job, review, plan, update))
        job.on_done = lambda error: self._end(job, plan, frame, error)
        self._job, self._job_of, job.stop = job, (plan, frame), job.cancel
        if review.plan is not None and review.plan.is_slow:
            review.frame_jobs.cancel()  # a frame takes minutes; it goes on after the answer
        self._wait.start(_WAIT_MS)
        self._session.submit(job)
        self.changed.emit()

    def _take(self, job: Job, review: Review, plan: Plan, update: FrameUpdate) -> None:
        if job is not self._job or job.cancelled:
            return
        if isinstance(update, FrameFailure):
            self._failures.setdefault(plan, {})[update.frame] = update.message
            self._say(update.message)
        elif isinstance(update, FrameResult):
            if review.results.asked is not plan:
                show_asked(review, plan)
            review.frame_jobs.deliver(update)

    def _end(self, job: Job, plan: Plan, frame: int, error: str | None) -> None:
        if job is not self._job:
            return
        if error is not None:
            self._failures.setdefault(plan, {})[frame] = error
            self._say(error)
        self._job, self._job_of, self._is_waiting = None, None, False
        self._wait.stop()
        self._follow()
        self._update()

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
        self._job, self._job_of, self._is_waiting = None, None, False
        self._wait.stop()

    def _follow(self, _value: object = None) -> None:
        """Ask about the same place in the frame in view, and notice that a run has ended what was asked."""
        session = self._session
        review, frame = session.review, session.current_frame()
        plan = None if review is None else review.results.asked
        if self._job_of is not None and (review is None or self._job_of[0].source is not review.input.source):
            self._cancel()  # another image was chosen, or the network sees another part of it
        if plan is not self._shown:
            self._shown = plan
            self.changed.emit()
        if review is None or plan is None:
            return
        self.asked = self._asked_of.get(plan, self.asked)
        review.results.drop_outdated_heatmaps(frame, plan)
        is_missing = bool(review.results.missing_stages(plan, frame))
        if self._job_of is not None and self._job_of[0] is not plan:
            return  # another place has been asked about
        if is_missing and frame not in self._failures.get(plan, {}) and self._job_of != (plan, frame):
            self._submit(review, plan, frame)

    # Words

    def _notes(self, review: Review, frame: int, _heated: tuple[str, ...]) -> list[str]:
        """Return lines for the canvas: what is asked, and how to return."""
        plan = review.results.asked
        job_of = self._job_of
        if job_of is not None and self._is_waiting:
            details = review.frame_jobs.progress_text
            where = place_words(self._asked_of[job_of[0]].region)
            return [f"explaining {where} … {details}".rstrip() + " · Esc stops"]
        if plan is None:
            is_ready = self.tool is not None and shows_frames(self._session.viewer)
            return [f"{HINTS[self.tool]} · Q ends"] if self.tool is not None and is_ready else []
        failure, asked_in = self._failures.get(plan, {}).get(frame), self._asked_of[plan].frame
        same = f"same place as in {frame_in_words(review.image, asked_in)}" if asked_in != frame else ""
        return [line for line in (failure, same, "Esc returns to the mask") if line]

    def _note_wait(self) -> None:
        self._is_waiting = True
        self._wait.start(_PROGRESS_MS)
        self._session.reviews.changed.emit()

    def _say(self, words: str) -> None:
        self._session.viewer.status = words

    def _update(self) -> None:
        self.changed.emit()
        self._session.reviews.changed.emit()
