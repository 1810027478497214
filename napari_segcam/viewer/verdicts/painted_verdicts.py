"""Painting in a mask that is seen is a verdict: the frame needed a correction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_segcam.review.log.events import Correction, Verdict
from napari_segcam.viewer.verdicts.open_review import OpenReview, reading_in_view, state_in_view
from napari_segcam.viewer.verdicts.shown_log import ShownLog, visible_now

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class PaintedVerdicts(QObject):
    """Gives the verdict "correct" with the first stroke in a frame, and takes it back with the correction.

    The stroke and its verdict are two events, which ``undo_action`` takes back together.
    """

    def __init__(self, session: ReviewSession, project: OpenReview, shown: ShownLog, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._project = project
        self._shown = shown
        self._seen = 0
        self._is_busy = False
        project.opened.connect(self._on_opened)
        project.state_changed.connect(self._on_state)

    def _on_opened(self) -> None:
        log = self._project.log
        self._seen = 0 if log is None else len(log.events)

    def _on_state(self) -> None:
        log = self._project.log
        if log is None or self._is_busy:
            return
        new, self._seen = log.events[self._seen :], len(log.events)
        for event in new:
            if isinstance(event, Correction):
                self._on_correction(event)

    def _on_correction(self, event: Correction) -> None:
        state = state_in_view(self._project)
        if self._project.has_other_network:
            return  # its mask is not the one to judge
        if state is None or event.reading != reading_in_view(self._project):
            return
        frame = self._frame_of(event)
        own = next((one for one in reversed(state.verdicts) if _is_on(one, frame) and one.value == "correct"), None)
        remains = any(frame == event.frame for frame, _of_class in state.corrections)
        if event.mask is None and not remains:
            if own is not None:
                self._append(event, None)
        elif event.mask is not None and own is None and visible_now(self._session).prediction:
            self._append(event, "correct")

    def _frame_of(self, event: Correction) -> int | None:
        """Return the frame that the verdict is about; None for a still, whose verdicts are about the whole case."""
        record = self._session.record
        return None if record is not None and len(record) == 1 else event.frame

    def _append(self, event: Correction, value: str | None) -> None:
        self._is_busy = True
        frame = self._frame_of(event)
        try:
            self._shown.keep()
            self._project.append(
                Verdict(
                    case=event.case,
                    repeat=event.repeat,
                    first=frame,
                    last=frame,
                    value=value,  # type: ignore[arg-type]
                    saw_prediction=self._shown.saw_prediction,
                    saw_heatmap=self._shown.saw_heatmap,
                )
            )
        finally:
            self._is_busy = False
            self._seen = 0 if self._project.log is None else len(self._project.log.events)


def _is_on(verdict: Verdict, frame: int | None) -> bool:
    return verdict.about == "mask" and verdict.finding is None and verdict.first == verdict.last == frame
