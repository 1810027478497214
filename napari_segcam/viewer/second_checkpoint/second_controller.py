"""B, a second checkpoint beside the first: loaded by the user, it follows A frame by frame."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.jobs.network_jobs import load_job
from napari_segcam.viewer.layers.frame_names import file_names, frame_in_words, frame_word
from napari_segcam.viewer.mendable_errors import show_error, show_warning
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.second_checkpoint.compared_frames import ComparedFrames, differing_frames
from napari_segcam.viewer.second_checkpoint.compared_masks import MaskPixels
from napari_segcam.viewer.second_checkpoint.second_layers import DIFFERENCE, OUTLINE, SecondLayers
from napari_segcam.viewer.second_checkpoint.second_plan import second_plan
from napari_segcam.viewer.second_checkpoint.second_review import SecondReview
from napari_segcam.viewer.second_checkpoint.second_words import legend, state_of_b, summary
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with it: it is imported in the worker, where nobody waits for it
    from napari_segcam.network.model_card import ModelCard
    from napari_segcam.network.network import Network
    from napari_segcam.viewer.frames.plan import Plan

_APART = 3  # frames of a cine that are closer look alike
_DELAY_MS = 200
"""After which curves follow the masks."""
_FOLLOW_MS = 20
"""After which B follows a result of A: there may be many at once."""


class SecondController(QObject):
    """One per session, as its child; found by ``controller_of``.

    Attributes:
        network: B; None for none.
        source: what it was loaded from.
        threshold: of B's masks.
        wanted: which of the layers the user wants to see.
        active: the frames that B computes now; None for none.
        reason: why B computes nothing of the chosen image, in words; empty if it does.
    """

    changed = Signal()
    arrived = Signal()

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self.network: Network | None = None
        self.source: ModelSource | None = None
        self.threshold = 0.5
        self.wanted = {OUTLINE, DIFFERENCE}
        self.reason = ""
        self._session = session
        self._seconds: dict[Review, SecondReview] = {}
        self._layers: dict[Review, SecondLayers] = {}
        self.active: SecondReview | None = None
        self._of_plan: tuple[object, ...] = ()
        self._with_maps = False
        self._compared: dict[SecondReview, ComparedFrames] = {}
        self._shown_errors: set[str] = set()
        self._rank = 0
        self._gone_to: tuple[Review, int] | None = None
        self._throttle = Throttle(self._enter_curves, self, _DELAY_MS)
        self._follow_soon = Throttle(self.follow, self, _FOLLOW_MS)
        session.reviews.changed.connect(self._follow_soon.ask)
        session.reviews.notes.append(self._notes)
        session.frame_changed.connect(self._on_frame)
        session.image_changed.connect(self.follow)
        session.layers_changed.connect(self._forget_removed)
        job_of_a, itself = session.worker.find_job, weakref.ref(self)

        def find_job() -> Job | None:  # in the worker's thread
            controller = itself()
            second = None if controller is None else controller.active
            return job_of_a() if second is None else second.next_job(job_of_a)

        session.worker.find_job = find_job

    # The network

    def load(self, source: ModelSource, device: str = "auto", card: ModelCard | None = None) -> None:
        """Load B, as ``load_network`` does; if that fails, an earlier one stays."""
        job = load_job(
            source,
            device,
            card,
            lambda network: self.use(network, source),
            lambda _offer: show_warning(
                f"{source.title} needs a decision first: load it as the first checkpoint and save its card, then "
                "compare with it."
            ),
        )
        job.title = f"Loading B, {source.title}"
        self._session.start_job(job)

    def use(self, network: Network, source: ModelSource | None = None) -> None:
        """Compare with this network from now on."""
        self.remove()
        if not network.segments:
            show_error(f"{network.name} classifies the whole image: it gives no mask to compare.")
            return
        self.network, self.source, self.threshold = network, source, network.card.threshold
        self.wanted = {OUTLINE, DIFFERENCE}
        self.follow()
        self._session.reviews.changed.emit()
        self.changed.emit()

    def remove(self) -> None:
        """Let B go, with its layers, curves and results."""
        self.active = None
        for review in list(self._seconds):
            self._end(review)
        self.network = self.source = None
        self.reason, self._of_plan = "", ()
        self._shown_errors.clear()
        self._gone_to = None
        self._session.reviews.changed.emit()
        self._session.record_changed.emit()
        self.changed.emit()

    def set_threshold(self, threshold: float) -> None:
        """Show the masks of B at another threshold; the network does not run."""
        self.threshold = threshold
        self.follow()
        self._session.reviews.changed.emit()

    def want(self, kind: str, is_wanted: bool) -> None:
        """Show or remove one of the layers."""
        self.wanted = self.wanted | {kind} if is_wanted else self.wanted - {kind}
        review = self._session.review
        if review is not None and not is_wanted and review in self._layers:
            self._layers[review].remove(kind)
        self._draw()
        self._session.reviews.changed.emit()
        self.changed.emit()

    def want_maps(self, are_wanted: bool) -> None:
        """Compute B's heatmaps too, as long as somebody looks at them."""
        self._with_maps = are_wanted
        self.follow()

    # Following A

    @property
    def second(self) -> SecondReview | None:
        """The frames of the chosen image as B sees them; None without B, or where it computes nothing."""
        review = self._session.review
        second = None if review is None else self._seconds.get(review)
        return second if second is not None and second.plan is not None else None

    def follow(self) -> None:
        """Have B compute the frames of the chosen image that A has."""
        self._forget_removed()
        review = self._session.review
        if self.network is None or review is None:
            self.active = None
            return
        second = self._seconds.get(review)
        if second is None:
            store = self._session.reviews.store
            second = self._seconds[review] = SecondReview(review, store, self.threshold, self._on_result)
            self._compared[second] = ComparedFrames(second)
        second.threshold = self.threshold
        second.follow(self._plan(review, second))
        self.active = second
        self._session.worker.wake()
        self._throttle.ask()

    def _plan(self, review: Review, second: SecondReview) -> Plan | None:
        """Return the plan of B for the present plan of A; the same as before if nothing has changed."""
        plan, network = review.plan, self.network
        if plan is None or network is None or self._session.reviews.hiding.of(review.image).prediction:
            self._of_plan = ()
            return None
        maps = self._with_maps and not self._session.reviews.hiding.of(review.image).heatmaps
        key = (review, plan, network, self.threshold, maps)
        if key == self._of_plan:
            return second.plan
        self._of_plan = key
        try:
            made, self.reason = second_plan(plan, network, self.threshold, with_maps=maps), ""
        except SegcamError as fault:
            made, self.reason = None, str(fault)
            show_warning(self.reason)
            second.end()
        self.changed.emit()
        return made

    def _on_result(self) -> None:
        second = self.second
        if second is not None:
            for message in set(second.failures.values()) - self._shown_errors:
                self._shown_errors.add(message)
                show_error(f"B: {message}")
        self.follow()
        self._draw()
        self.arrived.emit()
        self._session.reviews.changed.emit()

    def _on_frame(self, _frame: int) -> None:
        self.follow()
        self._draw(is_new=False)

    def _forget_removed(self) -> None:
        """Let the results on images go that are no longer in the viewer, or have other pixels now."""
        present = set(self._session.reviews)
        for review in [review for review in self._seconds if review not in present]:
            self._end(review)

    def _end(self, review: Review) -> None:
        second = self._seconds.pop(review)
        second.end()
        self._compared.pop(second).drop_curves()
        layers = self._layers.pop(review, None)
        if layers is not None:  # later: napari may be in the middle of removing layers
            QTimer.singleShot(0, lambda: layers.remove_all())  # a method alone would be held weakly

    # What is compared

    def pixels(self, frame: int) -> MaskPixels | None:
        """Return the masks of A and B in a frame of the chosen image, where both are known."""
        second = self.second
        return None if second is None else self._compared[second].pixels(frame)

    def _enter_curves(self) -> None:
        second = self.second
        if second is not None and self._compared[second].enter_curves():
            self.changed.emit()

    def progress_text(self) -> str:
        """Return how far B is in the chosen image, and how much both agree, in words."""
        second = self.second
        if self.reason:
            return self.reason
        if second is None:
            return "Segment or explain an image: B follows A." if self.network is not None else ""
        known = set(second.review.results.frames())
        done = len(known & set(second.results.frames()))
        return summary(second.review.record.curves, done, len(known), frame_word(second.review.image))

    def _notes(self, review: Review, frame: int, _heated: tuple[str, ...]) -> Sequence[str]:
        second = self.second
        if second is None or second.review is not review or review.results.segmentation(frame) is None:
            return ()
        lines = legend(second, review.frame_jobs.mask_threshold, shows_difference=DIFFERENCE in self.wanted)
        return (*lines, state_of_b(second, frame))

    # Drawing

    def _draw(self, *, is_new: bool = True) -> None:
        """Draw the frame in view.

        Args:
            is_new: whether there is another mask in it; after a step, napari reads the frame by itself.
        """
        second = self.second
        if second is None:
            return
        layers = self._layers.get(second.review)
        if layers is None:
            read = {
                OUTLINE: lambda frame: self._read(second, frame, OUTLINE),
                DIFFERENCE: lambda frame: self._read(second, frame, DIFFERENCE),
            }
            layers = SecondLayers(self._session.viewer, second.review.image, read, self._on_removed)
            self._layers[second.review] = layers
        for kind in (DIFFERENCE, OUTLINE):
            if kind in self.wanted:
                layers.show(kind, self._session.current_frame(), is_new=is_new)

    def _read(self, second: SecondReview, frame: int, kind: str) -> NDArray[np.float32] | None:
        return self._compared[second].drawn(frame, kind) if second is self.second else None

    def _on_removed(self, kind: str) -> None:
        self.wanted = self.wanted - {kind}
        self.changed.emit()

    # Steps

    def step(self, direction: int) -> None:
        """Go to the frame in which A and B differ most; from there to the next (1), or back (-1)."""
        session, review = self._session, self._session.review
        self._enter_curves()
        dice = None if review is None else review.record.curves.get(CineRecord.DICE_OF_BOTH)
        if self.network is None:
            session.viewer.status = "There is no second checkpoint: choose Compare with … in the Checkpoint widget."
            return
        if review is None or dice is None or not np.isfinite(dice).any():
            session.viewer.status = "Nothing is compared yet: segment the image, and wait for B."
            return
        area = review.record.curves[CineRecord.AREA_DIFFERENCE]
        frames = differing_frames(dice, area, 1 if file_names(session.image) else _APART)
        if not frames:
            session.viewer.status = "A and B have the same mask wherever one of them finds something."
            return
        goes_on = self._gone_to is not None and self._gone_to == (review, session.current_frame())
        self._rank = min(max(self._rank + direction, 0), len(frames) - 1) if goes_on else 0
        frame = frames[self._rank]
        self._gone_to = (review, frame)
        session.go_to(frame)
        where = frame_in_words(session.image, frame)
        session.viewer.status = (
            f"Dice of A and B {dice[frame]:.3f} in {where}: number {self._rank + 1} of {len(frames)}"
        )
