"""The evidence of the heatmaps in view: measured in the worker, and kept as long as they are."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_segcam.viewer.evidence.check_steps import ALL, AT_REST, check_steps, missing_measures
from napari_segcam.viewer.evidence.details import details
from napari_segcam.viewer.evidence.evidence_store import EvidenceStore, Influences, influence_key
from napari_segcam.viewer.evidence.first_shown import FirstShown
from napari_segcam.viewer.evidence.layer_names import name_layers
from napari_segcam.viewer.evidence.measured_frame import MeasuredFrame
from napari_segcam.viewer.evidence.stage_rows import StageRow, chance_text, stage_row
from napari_segcam.viewer.evidence.tasks import Found, Kind, Step, Task, TaskQueue
from napari_segcam.viewer.evidence.trust_words import about, trust_lines
from napari_segcam.viewer.frames.cine_record import FrameState

if TYPE_CHECKING:  # torch comes with these, and is imported in the worker first
    from napari_segcam.evidence.stage_evidence import StageEvidence
    from napari_segcam.viewer.review.review import Review
    from napari_segcam.viewer.review.session import ReviewSession

_REST_MS = 400  # after which a frame in view gets the figures that need no run of the network
_NEAREST = 8  # explained frames among which one with heat is looked for


class EvidenceController(QObject):
    """One per session, as its child; found by ``controller_of``.

    Attributes:
        store: what has been measured.
        first_shown: which stage is shown first, and why.
        failure: why the last check ended early, in words; empty if it did not.
    """

    changed = Signal()
    progress_changed = Signal()

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self.store = EvidenceStore()
        self.first_shown = FirstShown(session, self)
        self.failure = ""
        self._estimates: dict[Hashable, float | None] = {}  # None where it failed
        self._queue = TaskQueue(session.worker, _weak(self._on_step), _weak(self._on_end), _weak(self._next_step))
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._measure_at_rest)
        lines = _weak(self.lines)
        session.reviews.notes.append(lambda review, frame, heated: lines(review, frame, heated) or ())
        session.reviews.changed.connect(self._on_results)
        session.frame_changed.connect(self._rest.start)
        session.view_changed.connect(self._rest.start)
        session.network_changed.connect(self._on_network)
        session.image_changed.connect(self._on_image)

    # What is known

    def evidence(self, stage: str) -> StageEvidence | None:
        """Return what is known of a stage's heatmap in the frame in view; None if nothing is."""
        review = self._session.review
        return None if review is None else self.store.evidence(review, self._session.current_frame(), stage)

    def chance(self, stage: str) -> str:
        """Return the in / out figure that chance gives a stage in the frame in view, with p; empty if not measured."""
        return chance_text(self.evidence(stage))[0]

    def influences(self) -> Influences | None:
        """Return the influence of the stages in the frame in which it was measured; None if it is not known."""
        review = self._session.review
        return None if review is None else self.store.influences(review)

    def lines(self, review: Review, frame: int, stages: Sequence[str]) -> list[str]:
        """Return what the visible heatmaps of a frame are worth, a line for each stage."""
        why = self.first_shown.lines(review, self.store.influences(review), frame, stages)
        return [*trust_lines(self.store, review, frame, stages), *why]

    def words(self) -> list[str]:
        """Return what the visible heatmaps of the frame in view are worth, and which stage to look at first."""
        session, review = self._session, self._session.review
        if review is None:
            return []
        influences = self.store.influences(review)
        why = self.first_shown.why(review, influences)
        failed = "" if influences is None or not influences.failure else f"No influence: {influences.failure}"
        lines = trust_lines(self.store, review, session.current_frame(), session.view.heated)
        return [line for line in (*lines, self.failure, failed, why) if line]

    def details(self) -> str:
        """Return all figures of the visible heatmaps of the frame in view, as lines of text."""
        evidence = {stage: found for stage in self.checkable() if (found := self.evidence(stage)) is not None}
        return details(evidence)

    def rows(self, stages: Sequence[str]) -> dict[str, StageRow]:
        """Return what the stage table says about stages in the frame in view, by name."""
        session, review = self._session, self._session.review
        if review is None:
            return {}
        figures, frame = session.figures(), session.current_frame()
        return {stage: stage_row(self.store, review, frame, stage, figures.get(stage)) for stage in stages}

    # Check this map

    @property
    def check(self) -> Task | None:
        """The check that is running, or None."""
        return next((task for task in self._queue.tasks if task.kind == Kind.CHECK), None)

    def checkable(self) -> tuple[str, ...]:
        """Return the stages whose heat is visible in the frame in view, and that can be checked."""
        review = self._session.review
        if review is None:
            return ()
        heatmaps = review.results.heatmaps(self._session.current_frame())
        return tuple(stage for stage in self._session.view.heated if stage in heatmaps)

    def is_anything_missing(self) -> bool:
        """Whether a measure of the visible heatmaps of the frame in view was not taken yet."""
        review, frame = self._session.review, self._session.current_frame()
        if review is None:
            return False
        return any(missing_measures(self.store, review, frame, stage) for stage in self.checkable())

    def estimate_words(self) -> str:
        """Return how long a check of the visible heatmaps takes, in words; empty where that is not known."""
        key = self._estimate_key()
        seconds = None if key is None else self._estimates.get(key)
        return "" if seconds is None else about(seconds)

    def _estimate_key(self) -> Hashable:
        review, stages = self._session.review, self.checkable()
        return None if review is None or review.plan is None or not stages else (review.plan.heat_key, stages)

    def _estimate(self) -> None:
        """Estimate how long a check of the visible heatmaps takes, unless there is something better to do."""
        review, key, stages = self._session.review, self._estimate_key(), self.checkable()
        if review is None or key is None or key in self._estimates or review.is_running or self._queue.tasks:
            return
        measured = MeasuredFrame.of(review, self._session.current_frame())
        if measured is not None and check_steps(self.store, review, measured.frame, stages):
            self._queue.put(Task(Kind.ESTIMATE, review, measured, deque([Step(stages, ALL)])))
            self._next_step()

    def toggle_check(self) -> None:
        """Check the visible heatmaps of the frame in view, or stop the check that is running."""
        if self.check is not None:
            self.stop_check()
        else:
            self.start_check()

    def start_check(self) -> None:
        """Take all measures of the visible heatmaps of the frame in view that were not taken yet."""
        review, stages = self._session.review, self.checkable()
        measured = None if review is None else MeasuredFrame.of(review, self._session.current_frame())
        if review is None or measured is None or not stages or self.check is not None:
            self._session.viewer.status = "There is no heatmap to check in view: run Grad-CAM first."
            return
        steps = check_steps(self.store, review, measured.frame, stages)
        self.failure = ""
        if not steps:
            self._session.viewer.status = "This map is checked already."
            return
        self._queue.cancel([task for task in self._queue.tasks if task.kind > Kind.CHECK])
        self._queue.put(Task(Kind.CHECK, review, measured, deque(steps)))
        self._next_step()
        self.progress_changed.emit()

    def stop_check(self) -> None:
        """Stop the check within a batch of runs; what it has found is kept."""
        if self.check is not None:
            self._queue.cancel([self.check])
            self.progress_changed.emit()

    # What is measured by itself

    def _on_results(self) -> None:
        self._show_influences()
        self._measure_influence()
        if not self._rest.isActive():
            self._rest.start()
        self._next_step()

    def _measure_influence(self) -> None:
        """Measure the influence of the main stages, once for a network, image, class and region."""
        review = self._session.review
        plan = None if review is None else review.results.shown
        if review is None or plan is None or not plan.stages or self.store.influences(review) is not None:
            return
        waiting = [task for task in self._queue.tasks if task.kind == Kind.INFLUENCE]
        outdated = [task for task in waiting if influence_key(task.measured.plan) != influence_key(plan)]
        self._queue.cancel(outdated)
        measured = self._explained_frame(review) if len(waiting) == len(outdated) else None
        if measured is not None:
            names = measured.network_stages()
            if names:
                self._queue.put(
                    Task(Kind.INFLUENCE, review, measured, deque([Step(names, ("influence",), len(names))]))
                )
            else:
                self.store.put_failure(review, measured, "this network has no stages that can be replaced.")

    def _explained_frame(self, review: Review) -> MeasuredFrame | None:
        """Return the explained frame that is nearest to the one in view and has heat."""
        done = np.flatnonzero(review.record.states == FrameState.DONE)
        nearest = done[np.argsort(abs(done - self._session.current_frame()), kind="stable")]
        frames = (MeasuredFrame.of(review, int(frame)) for frame in islice(nearest, _NEAREST))
        return next((frame for frame in frames if frame is not None and frame.has_heat), None)

    def _measure_at_rest(self) -> None:
        """Take the measures without a run of the network of the frame in view, the visible heatmaps first."""
        review, frame = self._session.review, self._session.current_frame()
        resting = [task for task in self._queue.tasks if task.kind == Kind.REST]
        self._queue.cancel([task for task in resting if (task.review, task.measured.frame) != (review, frame)])
        measured = None if review is None else MeasuredFrame.of(review, frame)
        if review is None or measured is None or any(not task.is_cancelled for task in resting):
            return
        with_heat = [
            stage
            for stage, heatmap in measured.heatmaps.items()
            if heatmap.reason is None and self.store.missing(heatmap, AT_REST)
        ]
        stages = sorted(with_heat, key=lambda stage: stage not in self._session.view.heated)
        if not stages:
            self._estimate()
        else:
            self._queue.put(Task(Kind.REST, review, measured, deque(Step((stage,), AT_REST) for stage in stages)))
            self._next_step()

    # Events

    def _next_step(self) -> None:
        review = self._session.review
        if review is not None:
            self._queue.next_step(review.schedule)

    def _on_step(self, task: Task, step: Step, found: Found) -> None:
        if isinstance(found, float):
            self._estimates[(task.measured.plan.heat_key, step.stages)] = found
            self.progress_changed.emit()
            return
        if task.kind == Kind.INFLUENCE:
            self.store.put_influences(task.review, task.measured, found)
        else:
            for stage, evidence in found.items():
                self.store.put(task.measured.heatmaps[stage], evidence, step.measures)
        self._report()

    def _on_end(self, task: Task, error: str) -> None:
        if error:
            self._note_failure(task, error)
        if task.kind <= Kind.CHECK:
            self.progress_changed.emit()
            self._report()
        elif task.kind == Kind.REST and not task.is_cancelled:
            self._rest.start()  # an estimate comes next

    def _note_failure(self, task: Task, error: str) -> None:
        """Keep why something could not be measured, so that it is not tried again and again."""
        if task.kind == Kind.INFLUENCE:
            self.store.put_failure(task.review, task.measured, error)
        elif task.kind == Kind.CHECK:
            self.failure = error
        elif task.kind == Kind.ESTIMATE:
            self._estimates[(task.measured.plan.heat_key, task.steps[0].stages)] = None
        else:
            for step in task.steps:
                for stage in step.stages:
                    self.store.put_failure_of(task.measured.heatmaps[stage], error, step.measures)

    def _report(self) -> None:
        """Let canvas and widgets show what is known now."""
        self._show_influences()
        self.changed.emit()
        self._session.reviews.changed.emit()

    def _show_influences(self) -> None:
        """Name the layers of stages that take no part, and show the one that does."""
        review = self._session.review
        if review is not None and not review.layers.heat.is_making:
            influences = self.store.influences(review)
            name_layers(review.layers.heatmaps, influences)
            self.first_shown.follow(influences)

    def _on_network(self) -> None:
        self._queue.cancel(self._queue.tasks)
        self.store.drop_influences()
        self._estimates.clear()
        self.failure = ""
        self.changed.emit()
        self.progress_changed.emit()

    def _on_image(self) -> None:
        self._queue.cancel(self._queue.tasks)
        self.failure = ""
        self._measure_influence()
        self._rest.start()
        self.changed.emit()
        self.progress_changed.emit()


def _weak(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls a method as long as its object lives: results can come after the window is gone."""
    reference = weakref.WeakMethod(method)

    def call(*args: Any) -> Any:
        method = reference()
        return None if method is None else method(*args)

    return call
