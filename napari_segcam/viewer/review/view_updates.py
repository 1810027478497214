"""Updates of the view: what has changed in the window, and who is notified of it, now or a moment later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari.components import ViewerModel
from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.frames.cine_record import CineRecord, FrameState
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.image_reviews import ImageReviews
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.review.status_overlay import StatusOverlay
from napari_segcam.viewer.review.view_state import View, view_of

if TYPE_CHECKING:  # torch comes with it: it is imported in the worker, where nobody waits for it
    from napari_segcam.evidence.attention import Attention

_DELAY_MS = 1000  # for changes out of view: each draws the whole window again, where it has a canvas


@dataclass(frozen=True)
class _Shown:
    """What the window shows of a review at once; it shows all else after a moment."""

    record: CineRecord
    is_busy: bool
    frame: int
    state: FrameState
    view: View

    @classmethod
    def from_review(cls, review: Review, frame: int, is_busy: bool, view: View) -> _Shown:
        state = FrameState(int(review.record.states[frame]))
        state = FrameState.MISSING if state == FrameState.COMPUTING else state  # they look the same
        return cls(review.record, is_busy, frame, state, view)

    def has_only_moved(self, earlier: _Shown) -> bool:
        """Whether another frame is in view, and nothing else has changed."""
        return self.frame != earlier.frame and self.record is earlier.record and self.is_busy == earlier.is_busy


class ViewUpdates(QObject):
    """Compares what the window should show of the chosen image with what it shows, and updates the difference.

    Attributes:
        view: what the window draws of the frame in view, and the words about it.
    """

    record_changed = Signal()
    figures_changed = Signal()
    view_changed = Signal()

    def __init__(self, viewer: ViewerModel, reviews: ImageReviews, parent: QObject) -> None:
        super().__init__(parent)
        self.view = View()
        self._viewer = viewer
        self._reviews = reviews
        self._status = StatusOverlay(viewer)
        self._shown: _Shown | None = None
        self._figures: Mapping[str, Attention] = {}
        self._throttle = Throttle(self._update_all, self, _DELAY_MS)

    def update(self, *, is_busy: bool) -> None:
        """Update what has changed: at once what concerns the frame in view, and the rest after a moment."""
        review, frame = self._reviews.current, self._reviews.frame
        view = view_of(self._viewer, review, frame, self._reviews.notes)
        shown = None if review is None else _Shown.from_review(review, frame, is_busy, view)
        if shown == self._shown and self._current_figures() == self._figures:
            self._throttle.ask()
        elif shown is not None and self._shown is not None and shown.has_only_moved(self._shown):
            self._shown = shown
            self._update_frame()
            self._throttle.ask()
        else:
            self._shown = shown
            self._update_all()

    def update_view(self) -> None:
        """Update the words on the canvas, the outline of the explained region and the color bars."""
        review = self._reviews.current
        view = view_of(self._viewer, review, self._reviews.frame, self._reviews.notes)
        if review is not None:
            review.layers.explained_region.show(view.to_outline)
        self._status.say(view.of_frame, view.of_scale)
        if review is not None:
            review.layers.heat.show_bars(view.heated)
        if view != self.view:
            self.view = view
            self.view_changed.emit()

    def _update_all(self) -> None:
        review = self._reviews.current
        if review is not None:
            review.layers.heat.catch_up()
        self._update_frame()
        self.record_changed.emit()

    def _update_frame(self) -> None:
        self.update_view()
        figures = self._current_figures()
        if figures != self._figures:
            self._figures = figures
            self.figures_changed.emit()

    def _current_figures(self) -> Mapping[str, Attention]:
        review = self._reviews.current
        return {} if review is None else review.figures()
