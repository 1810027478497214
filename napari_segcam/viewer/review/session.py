"""The review session: what the widgets of one viewer share, and their only way to the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.frames.schedule import Scope
from napari_segcam.viewer.jobs.network_jobs import load_job
from napari_segcam.viewer.layers.chosen_layers import ChosenLayers
from napari_segcam.viewer.layers.explanation_layers import ExplanationLayers
from napari_segcam.viewer.layers.frame_names import frame_in_words, frame_word
from napari_segcam.viewer.layers.heatmap_layers import ScaleMode
from napari_segcam.viewer.layers.placement import is_ours
from napari_segcam.viewer.mendable_errors import show_error, show_info, show_warning
from napari_segcam.viewer.napari_internals.deferred_deletion import delete_while_drawing
from napari_segcam.viewer.napari_internals.playback import play_at
from napari_segcam.viewer.responsiveness.garbage_collection import IdleCollector
from napari_segcam.viewer.review.image_reviews import ImageReviews
from napari_segcam.viewer.review.layer_choices import LayerChoices, frame_in_view, show_frame
from napari_segcam.viewer.review.question import Question
from napari_segcam.viewer.review.requirements import missing_requirement
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.review.run_summary import RunSummary
from napari_segcam.viewer.review.view_state import View
from napari_segcam.viewer.review.view_updates import ViewUpdates
from napari_segcam.viewer.worker.background import Background
from napari_segcam.viewer.worker.foreground import Foreground
from napari_segcam.viewer.worker.session_worker import session_worker
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.network.model_card import ModelCard
    from napari_segcam.network.network import Network


class ReviewSession(QObject):
    """One per viewer, from ``session_of``. All of it is used from the UI thread; only jobs run elsewhere.

    Attributes:
        network: the loaded network, or None.
        source: what it was loaded from; None for a network object.
        class_colors: one per output channel; empty for the usual ones.
        threshold: of the masks, on the probability of a class.
        scale: what the strongest color of the heat stands for, in all images.
        choices: the layers that the user can choose.
        reviews: of all images.
        worker: runs all jobs.
        background: what the worker does when there is nothing else to do.
        question: the last one, asked because something would be lost.
    """

    network_changed = Signal()
    offered = Signal(object)
    image_changed = Signal()
    layers_changed = Signal()
    job_changed = Signal()
    record_changed = Signal()
    figures_changed = Signal()
    view_changed = Signal()
    scale_changed = Signal()
    frame_changed = Signal(int)
    corrections_removed = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer: ViewerModel = viewer
        self.network: Network | None = None
        self.source: ModelSource | None = None
        self.class_colors: tuple[str, ...] = ()
        self.threshold = 0.5
        self.scale: ScaleMode = "clip"
        self.question: Question | None = None
        self.choices = LayerChoices(viewer)
        self._run: RunSummary | None = None
        self._chosen_layers = ChosenLayers(viewer)
        delete_while_drawing(viewer)
        self.reviews = ImageReviews(viewer, self)
        self.reviews.created.connect(self._on_review_created)
        self.reviews.changed.connect(self._on_change)
        self._view_updates = ViewUpdates(viewer, self.reviews, self)
        self._view_updates.record_changed.connect(self.record_changed)
        self._view_updates.record_changed.connect(self.job_changed)
        self._view_updates.figures_changed.connect(self.figures_changed)
        self._view_updates.view_changed.connect(self.view_changed)
        self._idle_collector = IdleCollector(self)
        self.worker = session_worker(self, self._next_job, viewer)
        self._foreground = Foreground(self.worker, self._on_job_changed)
        self.background = Background(self.worker, self)
        viewer.layers.events.inserted.connect(self._on_inserted)
        for event in (viewer.layers.events.removed, viewer.layers.events.reordered):
            event.connect(self._on_layers_changed)
        viewer.dims.events.current_step.connect(self._on_step)
        for event in (viewer.dims.events.order, viewer.dims.events.ndisplay):
            event.connect(self._on_change)
        self._on_layers_changed()

    # The chosen image

    @property
    def image(self) -> Image | None:
        """The chosen image layer, or None."""
        return self.reviews.image

    @property
    def review(self) -> Review | None:
        """The review of the chosen image."""
        return self.reviews.current

    @property
    def record(self) -> CineRecord | None:
        """The record of the chosen image."""
        return None if self.review is None else self.review.record

    @property
    def view(self) -> View:
        """What the window draws of the frame in view, and the words about it."""
        return self._view_updates.view

    def layers(self) -> ExplanationLayers | None:
        """Return the layers of the chosen image."""
        return None if self.review is None else self.review.layers

    def figures(self) -> Mapping[str, Attention]:
        """Return the attention figures of the frame in view, by stage name."""
        return {} if self.review is None else self.review.figures()

    def choose_image(self, image: Image | None) -> None:
        """Work on this layer from now on; work on another one waits until that is chosen again."""
        if image is self.image:
            return
        if self.review is not None:
            self.review.frame_jobs.cancel()
            self.review.layers.explained_region.show(None)
        self.reviews.image = image
        self.reviews.frame = self.current_frame()  # before layers are shown, since that updates the view
        self._chosen_layers.show(image)
        if self.review is not None:
            self.review.set_current_frame(self.reviews.frame)
            self.review.set_mask_threshold(self.threshold)
            QTimer.singleShot(0, self._play_at_frame_rate)  # once napari has its sliders
        self.image_changed.emit()
        self._on_change()

    def current_frame(self) -> int:
        """Return the number of the chosen cine's frame in view; 0 for a still."""
        return frame_in_view(self.viewer, self.image)

    def go_to(self, frame: int) -> None:
        """Bring a frame of the chosen cine into view."""
        show_frame(self.viewer, self.image, frame)

    # The network

    def load(self, source: ModelSource, device: str = "auto", card: ModelCard | None = None) -> None:
        """Load a network, as ``load_network`` does; if that fails, the earlier one stays."""
        self.start_job(load_job(source, device, card, lambda network: self.use(network, source), self.offered.emit))

    def use(self, network: Network, source: ModelSource | None = None) -> None:
        """Review with this network from now on; the results of the earlier one are dropped.

        Args:
            network: the network.
            source: what it was loaded from.
        """
        for review in self.reviews:
            review.clear()
        self.network, self.source = network, source
        self.set_class_colors(network.card.class_colors)
        self.threshold = network.card.threshold
        for warning in network.warnings:
            show_warning(warning)
        self.network_changed.emit()

    # Runs

    def missing(self) -> str | None:
        """Return what must be done before a run, in words; None if nothing."""
        return missing_requirement(self.network, self.image) or self.reviews.hiding.reason(self.image)

    def run(self, request: RunRequest, scope: Scope) -> None:
        """Segment frames, and explain them if the request has stages."""
        request = self.reviews.hiding.note(self.image, request, scope)
        if (missing := self.missing()) is not None:
            if missing != self.reviews.hiding.reason(self.image):  # which the window says all the time
                show_warning(missing)
            return
        network, review = self.network, self.review
        assert network is not None
        assert review is not None
        frame = self.current_frame()
        review.set_current_frame(frame)
        self._run = RunSummary(
            request,
            scope,
            len(review.record),
            frame_in_words(self.image, frame),
            frame_word(self.image),
            network.members_in_words,
        )
        try:
            review.start(network, request, self.threshold, scope)
        except SegcamError as fault:
            self._run = None
            show_error(str(fault))

    def cancel(self) -> None:
        """Stop computing; the results so far stay."""
        if self._run is not None:
            self._run.is_cancelled = True
        self._foreground.cancel()
        if self.review is not None:
            self.review.stop()

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to be computed, or to be shown."""
        review = self.review
        return self.job is not None or (review is not None and (review.is_running or review.layers.heat.is_making))

    @property
    def title(self) -> str:
        """What the worker is doing, in words."""
        if self.job is not None or self._run is None:
            return self.job.title if self.job is not None else ""
        details = "" if self.review is None else self.review.frame_jobs.progress_text
        return f"{self._run.title} ({details})" if details else self._run.title

    @property
    def progress(self) -> tuple[int, int]:
        """How much of that is done, and how much there is; 0 and 0 where that is not known."""
        if self.job is not None or self._run is None or self.review is None or self._run.scope == "current":
            return 0, 0
        return self.review.progress()

    @property
    def outcomes(self) -> dict[str, str]:
        """How the last job or run of each kind (``"load"``, ``"segment"``, ``"explain"``) ended, in words."""
        return self._foreground.outcomes

    # Settings

    def set_class_colors(self, colors: Sequence[str]) -> None:
        """Draw the classes of all masks, and those to come, in these colors, one per output channel."""
        self.class_colors = tuple(colors)
        for review in self.reviews:
            review.layers.color(self.class_colors)

    def set_scale(self, scale: ScaleMode) -> None:
        """Scale the heat of all images to each frame, or to all frames of a stage."""
        self.scale = scale
        for review in self.reviews:
            review.layers.set_scale(scale)
        self.scale_changed.emit()

    def set_threshold(self, threshold: float) -> None:
        """Show the masks, and those to come, at another threshold."""
        self.threshold = threshold
        if self.review is not None:
            self.review.set_mask_threshold(threshold)

    # Jobs

    @property
    def job(self) -> Job | None:
        """The job that the user waits for, besides frames; None if there is none."""
        return self._foreground.job

    def start_job(self, job: Job) -> None:
        """Run a job that the user waits for, in place of an earlier one."""
        self._foreground.start(job)

    def submit(self, job: Job) -> None:
        """Run a job after those that were submitted before."""
        self.worker.submit(job)

    def _next_job(self) -> Job | None:
        """Return the next frame to compute; called in the worker's thread."""
        review = self.reviews.started()
        return None if review is None else review.frame_jobs.next_job()

    # Events

    def _on_job_changed(self) -> None:
        self.job_changed.emit()

    def _on_change(self, _event: Any = None) -> None:
        """Follow a change of states, figures, runs or visible layers."""
        review, run = self.review, self._run
        self.worker.wake()
        if review is not None and run is not None and not review.is_running:
            self.outcomes[run.kind] = run.outcome(review.record, review.frame_jobs.how_text)
            self._run = None
        self._view_updates.update(is_busy=self.is_busy)

    def _on_review_created(self, review: Review) -> None:
        review.layers.color(self.class_colors)
        review.layers.heat.scale = self.scale
        review.layers.on_taken_out = self.corrections_removed.emit
        review.image.events.data.connect(self._on_data)  # napari connects a method once, however often this is called

    def _play_at_frame_rate(self) -> None:
        if self.review is not None:
            play_at(self.viewer, self.review.image)

    def _on_step(self) -> None:
        frame = self.current_frame()
        if frame != self.reviews.frame:
            self.reviews.frame = frame
            self._idle_collector.note_step()
            if self.review is not None:
                self.review.set_current_frame(frame)
            self.frame_changed.emit(frame)

    def _on_data(self, event: Any) -> None:
        """Drop all results of an image whose pixels have changed; it may have more or fewer frames now."""
        if self.reviews.drop_results(event.source):
            self.reviews.frame = self.current_frame()
            self.image_changed.emit()

    def _on_inserted(self, event: Any) -> None:
        """Choose an image that is opened."""
        layer = event.value
        if isinstance(layer, Image) and not is_ours(layer):
            review = self.review
            if review is not None and review.image in self.viewer.layers and review.is_running:
                show_info(f"Work on {review.image.name} waits until you choose it again under image.")
            self.choose_image(layer)
        self._on_layers_changed()

    def _on_layers_changed(self, _event: Any = None) -> None:
        images = self.choices.images()
        self.reviews.keep_only(images)  # the layers of a removed image stay
        if self.image not in images:
            self.choose_image(images[-1] if images else None)
        self.layers_changed.emit()
        self._view_updates.update_view()
