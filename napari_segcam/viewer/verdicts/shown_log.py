"""What was visible when: the prediction and the heatmaps that were really drawn, kept in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qtpy.QtCore import QObject, QTimer

from napari_segcam.review.log.events import Shown
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.layers.placement import shows_frames
from napari_segcam.viewer.review.view_state import is_drawn
from napari_segcam.viewer.verdicts.open_review import OpenReview, reading_in_view, state_in_view

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_SETTLED_MS = 600  # after which a view counts as looked at; what is seen for the first time counts at once


class Visible(NamedTuple):
    """What is drawn of the frame in view.

    Attributes:
        frame: its number.
        prediction: whether its predicted mask is drawn, or the words say that it is blank.
        heatmaps: the stages whose heat is drawn.
        threshold: of the mask; None where there is none.
    """

    frame: int
    prediction: bool
    heatmaps: tuple[str, ...] = ()
    threshold: float | None = None


def visible_now(session: ReviewSession) -> Visible:
    """Return what the window draws of the chosen image."""
    review, frame = session.review, session.current_frame()
    if review is None:
        return Visible(frame, False)
    pairs = [pair for pair in review.layers.shown if is_drawn(pair.mask.layer)]
    if shows_frames(session.viewer):
        drawn = [mask for pair in pairs if (mask := pair.mask.drawn(frame)) is not None]
        finding = review.results.finding(frame)
        prediction = bool(drawn) or (finding is not None and not finding.pixels)
    else:
        prediction = bool(pairs)
    threshold = review.frame_jobs.mask_threshold if prediction else None
    return Visible(frame, prediction, session.view.heated, threshold)


class ShownLog(QObject):
    """Appends what is visible to the log: at once if it is seen for the first time in this reading, else when settled.

    Args:
        session: whose window is followed.
        project: whose log is written.
        parent: with which it ends.
    """

    def __init__(self, session: ReviewSession, project: OpenReview, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._project = project
        self._kept: tuple[Reading, Visible] | None = None
        self._rest = QTimer(self, singleShot=True, interval=_SETTLED_MS)
        self._rest.timeout.connect(self.keep)
        for signal in (session.view_changed, session.frame_changed, session.reviews.changed, session.image_changed):
            signal.connect(self._on_change)
        project.reading_changed.connect(self._on_change)

    @property
    def saw_prediction(self) -> bool:
        """Whether a prediction was visible in this reading so far."""
        state = state_in_view(self._project)
        return state is not None and any(shown.prediction for shown in state.shown)

    @property
    def saw_heatmap(self) -> bool:
        """Whether a heatmap was visible in this reading so far."""
        state = state_in_view(self._project)
        return state is not None and any(shown.heatmaps for shown in state.shown)

    def keep(self) -> None:
        """Append what is visible now, unless the log says so already."""
        reading = reading_in_view(self._project)
        if reading is None or self._session.image is None:
            return
        visible = visible_now(self._session)
        if self._kept == (reading, visible):
            return
        self._kept = (reading, visible)
        self._project.append(
            Shown(
                case=reading.case,
                repeat=reading.repeat,
                frame=visible.frame,
                prediction=visible.prediction,
                heatmaps=visible.heatmaps,
                threshold=visible.threshold,
            )
        )

    def _on_change(self, _of: object = None) -> None:
        if reading_in_view(self._project) is None:
            self._rest.stop()
            return
        visible = visible_now(self._session)
        is_first = visible.prediction and not self.saw_prediction
        state = state_in_view(self._project)
        seen = {stage for shown in state.shown for stage in shown.heatmaps} if state is not None else set()
        if is_first or set(visible.heatmaps) - seen:
            self.keep()
        elif self._kept is None or self._kept[1] != visible:
            self._rest.start()
