"""Blinded reading: says what must not be seen of the case in view, and takes the reader's first answer."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_segcam.review.hidden import hides_heatmaps, hides_prediction
from napari_segcam.review.log.events import Answer
from napari_segcam.review.log.state import ReadingState
from napari_segcam.viewer.frames.hiding import NOTHING, Hidden
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.layers.placement import OURS, is_ours
from napari_segcam.viewer.verdicts.blind_drawing import draw_blind
from napari_segcam.viewer.verdicts.open_review import OpenReview, reading_in_view, state_in_view

if TYPE_CHECKING:
    from napari_segcam.viewer.review.review import Review
    from napari_segcam.viewer.review.session import ReviewSession


class _Text:
    """Every text of the controller."""

    PREDICTION = "Blinded: the prediction appears after your answer."
    HEAT_LATER = "Blinded: the heatmaps appear after your first verdict."
    HEAT_NEVER = "Blinded: this review shows no heatmaps."
    OTHER_IMAGE = "A blinded review is open: images that are not its cases are not computed until you close it."
    DRAW_FIRST = "Draw the finding first, or answer whether there is one."
    FOUND = "You answered: there is a finding."
    NOT_FOUND = "You answered: no finding."
    DRAWN = "You drew before you saw the prediction."


class BlindingController(QObject):
    """One per session, as its child; found by ``controller_of``. What it hides is not computed (see ``Hiding``)."""

    changed = Signal()

    def __init__(self, session: ReviewSession, project: OpenReview) -> None:
        super().__init__(session)
        self._session = session
        self._project = project
        self._known: dict[Any, Hidden] = {}  # by image
        itself = weakref.ref(self)
        session.reviews.hiding.rule = lambda image: NOTHING if (alive := itself()) is None else alive.hidden_of(image)
        session.reviews.notes.append(self._notes)
        for signal in (project.opened, project.closed, project.reading_changed, project.state_changed):
            signal.connect(self._follow)
        session.image_changed.connect(self._follow)
        session.viewer.layers.events.inserted.connect(self._on_inserted)

    @property
    def hidden(self) -> Hidden:
        """What must not be seen of the image in view."""
        return self._session.reviews.hiding.of(self._session.image)

    @property
    def waits_for_answer(self) -> bool:
        """Whether the prediction appears once the reader has answered."""
        return self.hidden.prediction and reading_in_view(self._project) is not None

    @property
    def has_drawn(self) -> bool:
        """Whether the reader has drawn in this reading."""
        state = state_in_view(self._project)
        return state is not None and bool(state.corrections)

    def answer_words(self) -> str:
        """Return the first answer of this reading in words; empty without one."""
        state = state_in_view(self._project)
        if state is None or state.answer is None:
            return ""
        return {True: _Text.FOUND, False: _Text.NOT_FOUND, None: _Text.DRAWN}[state.answer.found]

    # What the reader does

    def answer(self, found: bool | None) -> None:
        """Commit the first answer, after which the prediction appears.

        Args:
            found: whether there is a finding; None where the reader has drawn it instead.
        """
        reading = reading_in_view(self._project)
        if reading is None or not self.waits_for_answer:
            return
        if found is None and not self.has_drawn:
            self._session.viewer.status = _Text.DRAW_FIRST
            return
        self._project.append(Answer(case=reading.case, repeat=reading.repeat, found=found))

    def draw(self) -> None:
        """Let the reader draw on the image, without a prediction."""
        review = self._session.review
        if review is not None and self.waits_for_answer:
            draw_blind(self._session, review)

    # What is hidden

    def hidden_of(self, image: Image) -> Hidden:
        """Return what must not be seen of an image."""
        project = self._project.project
        if project is None:
            return NOTHING
        settings, state = project.settings, state_in_view(self._project)
        if image is not self._session.image:
            state = None
        if state is None:
            is_blinded = settings.hide_prediction or settings.hide_heatmaps != "never"
            return Hidden(settings.hide_prediction, is_blinded, _Text.OTHER_IMAGE) if is_blinded else NOTHING
        return hidden_of(settings.hide_prediction, settings.hide_heatmaps, state)

    def _follow(self, _of: object = None) -> None:
        """Drop what must no longer be seen, and compute what may be seen from now on."""
        session, image = self._session, self._session.image
        for review in session.reviews:
            hidden = session.reviews.hiding.of(review.image)
            if hidden.prediction and review.plan is not None:
                review.clear()
        if image is None:
            return
        hidden, known = self.hidden, self._known.get(image.unique_id, NOTHING)
        if hidden == known:
            return
        self._known[image.unique_id] = hidden
        session.job_changed.emit()  # the run bars say what is missing
        session.reviews.changed.emit()
        if (known.prediction and not hidden.prediction) or (known.heatmaps and not hidden.heatmaps):
            QTimer.singleShot(0, self._reveal)  # the log is still taking in the answer
        elif hidden.heatmaps and not hidden.prediction:
            self._drop_heat()
        self.changed.emit()

    def _reveal(self) -> None:
        session, image = self._session, self._session.image
        if image is None or self.hidden.prediction or session.network is None:
            return
        request, scope = session.reviews.hiding.asked(image) or (RunRequest(), "all")
        session.run(request, scope)

    def _drop_heat(self) -> None:
        """Remove the heatmaps of an earlier run."""
        session, review = self._session, self._session.review
        plan = None if review is None else review.plan
        if review is not None and plan is not None and plan.stages:
            request, scope = plan.request, review.schedule.scope or "all"
            review.clear()
            session.run(request, scope)

    def _on_inserted(self, event: Any) -> None:
        """Remove a layer that would show a hidden prediction, no matter how it came."""
        layer = event.value
        if self.hidden.prediction and _may_show_prediction(layer):
            QTimer.singleShot(0, lambda: self._remove(layer))
            layer.visible = False

    def _remove(self, layer: Layer) -> None:
        if layer in self._session.viewer.layers:
            self._session.viewer.layers.remove(layer)

    def _notes(self, _review: Review, _frame: int, _heated: tuple[str, ...]) -> list[str]:
        words = self.hidden.words
        return [words] if words else []


def hidden_of(hide_prediction: bool, hide_heatmaps: Any, state: ReadingState) -> Hidden:
    """Return what the settings of a project hide in a reading, with the words for the reader."""
    prediction, heatmaps = hides_prediction(state, hide_prediction), hides_heatmaps(state, hide_heatmaps)
    if prediction:
        return Hidden(True, True, _Text.PREDICTION)
    if heatmaps:
        return Hidden(False, True, _Text.HEAT_NEVER if hide_heatmaps == "always" else _Text.HEAT_LATER)
    return NOTHING


def _may_show_prediction(layer: Layer) -> bool:
    """Return whether a layer is one of ours in which the reader does not draw."""
    return is_ours(layer) and isinstance(layer, Image | Labels) and not layer.metadata[OURS].get("by_reader")
