"""The review session: what the widgets of one viewer share, and the only way from them to the worker."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari.components import ViewerModel
from napari.layers import Image, Labels, Shapes
from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QObject, QTimer, Signal

from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.frames.cine_record import CineRecord, State
from napari_segcam.viewer.frames.plan import LayerSource, Request
from napari_segcam.viewer.frames.result_store import ResultStore
from napari_segcam.viewer.frames.schedule import Scope
from napari_segcam.viewer.jobs.export_job import Export, exporting
from napari_segcam.viewer.jobs.folder_job import FolderRun, in_words, options_of, running_over
from napari_segcam.viewer.jobs.network_jobs import finding_scan, loading, saving_card, saving_corrections
from napari_segcam.viewer.layers.chosen_layers import ChosenLayers
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.layers.explanation_layers import ExplanationLayers
from napari_segcam.viewer.layers.heatmap_layers import ScaleMode
from napari_segcam.viewer.layers.placement import frame_count, is_ours
from napari_segcam.viewer.layers.scan_outline import drawn_on
from napari_segcam.viewer.napari_internals.deferred_deletion import delete_while_drawing
from napari_segcam.viewer.napari_internals.playback import play_at
from napari_segcam.viewer.responsiveness.garbage_collection import IdleCollector
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.question import Question
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.review.run_summary import RunSummary
from napari_segcam.viewer.review.status_overlay import StatusOverlay
from napari_segcam.viewer.review.view_state import View, view_of
from napari_segcam.viewer.worker.background import Background
from napari_segcam.viewer.worker.import_torch import import_torch
from napari_segcam.viewer.worker.worker import Job, Worker

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.batch.options import ExplainOptions
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.imaging.scan.region import ScanRegion
    from napari_segcam.network.model_card import ModelCard
    from napari_segcam.network.network import Network

LOAD_FIRST = "Load a checkpoint first: Plugins ▸ SegCAM ▸ Checkpoint (SegCAM)."

_BUDGET = 1 << 30  # bytes
_OUT_OF_VIEW_MS = 1000  # any change in a window with a canvas has the whole window composed anew


@dataclass(frozen=True)
class _Seen:
    """What the window shows of a review at once; all else it shows within a moment."""

    record: CineRecord
    is_busy: bool
    frame: int
    state: int
    view: View

    @classmethod
    def of(cls, review: Review, frame: int, is_busy: bool, view: View) -> _Seen:
        state = int(review.record.states[frame])
        return cls(review.record, is_busy, frame, State.MISSING if state == State.COMPUTING else state, view)

    def has_but_moved(self, before: _Seen) -> bool:
        """Whether nothing but the frame in view is another one, of which the record knew already."""
        return self.frame != before.frame and self.record is before.record and self.is_busy == before.is_busy


class ReviewSession(QObject):
    """One per viewer, from ``session_of``. All of it is used from the UI thread; only jobs run elsewhere.

    Attributes:
        network: the loaded network, or None.
        source: what that was loaded from; None for one that was handed over.
        class_colors: one per output channel; empty for the usual ones.
        image: the chosen image layer, or None.
        threshold: that cuts the probability of a single class.
        scale: what the strongest color of the heat stands for, in all images.
        job: what the worker does besides frames, or None.
        background: what it does when there is nothing else to do.
        outcomes: how the last job or run of each kind (``"load"``, ``"segment"``, ``"explain"``) ended, in words.
        store: the results of all images.
        view: what the window draws of the frame in view, and what is said of it.
        question: that was asked last, since something would be lost.
    """

    network_changed = Signal()
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
        self.image: Image | None = None
        self.threshold = 0.5
        self.scale: ScaleMode = "clip"
        self.job: Job | None = None
        self.outcomes: dict[str, str] = {}
        self.store = ResultStore(_BUDGET)
        self._reviews: dict[Any, Review] = {}
        self._let_go: list[CorrectionLayer] = []  # of images that are no more
        self.question: Question | None = None
        self._run: RunSummary | None = None
        self._figures: Mapping[str, Attention] = {}
        self._frame = 0
        self.view = View()
        self._chosen = ChosenLayers(viewer)
        delete_while_drawing(viewer)
        self._status = StatusOverlay(viewer)
        self._seen: _Seen | None = None
        self._later = Throttle(self._tell, self, _OUT_OF_VIEW_MS)
        self._idle_collector = IdleCollector(self)
        self._worker = Worker(import_torch)
        next_job = weakref.WeakMethod(self._next_job)
        self._worker.standing = lambda: method() if (method := next_job()) is not None else None
        weakref.finalize(self, self._worker.stop)
        self.background = Background(self._worker, self)
        viewer.layers.events.inserted.connect(self._on_inserted)
        for event in (viewer.layers.events.removed, viewer.layers.events.reordered):
            event.connect(self._on_layers_changed)
        viewer.dims.events.current_step.connect(self._on_step)
        for event in (viewer.dims.events.order, viewer.dims.events.ndisplay):
            event.connect(self._on_drawn)
        self._on_layers_changed()

    # What there is to choose from

    def images(self) -> list[Image]:
        """The image layers that can be explained."""
        return [layer for layer in self.viewer.layers if isinstance(layer, Image) and not is_ours(layer)]

    def regions(self) -> list[Labels]:
        """The Labels layers whose painted pixels can be the region, wherever they lie."""
        return [layer for layer in self.viewer.layers if isinstance(layer, Labels) and not is_ours(layer)]

    def drawings(self) -> list[Shapes]:
        """The Shapes layers in which the user can have drawn around the scan."""
        return [layer for layer in self.viewer.layers if isinstance(layer, Shapes) and not is_ours(layer)]

    def choose_image(self, image: Image | None) -> None:
        """Work on this layer from now on; what is still to be done for another waits until that is chosen again."""
        if image is not self.image:
            if self.review is not None:
                self.review.computation.cancel()
                self.review.layers.explained_region.show(None)
            self.image = image
            self._frame = self.current_frame()  # before layers are shown, which has what is drawn looked at
            self._chosen.show(image)
            if self.review is not None:
                self.review.look_at(self._frame)
                self.review.cut(self.threshold)
                QTimer.singleShot(0, self._play_at_own_rate)  # once napari has its sliders
            self.image_changed.emit()
            self._on_change()

    def _play_at_own_rate(self) -> None:
        if self.review is not None:
            play_at(self.viewer, self.review.image)

    @property
    def review(self) -> Review | None:
        """The review of the chosen image."""
        if self.image is None or self.image.ndim > 3:
            return None
        image = self.image
        if image.unique_id not in self._reviews:
            made = Review(self.viewer, image, self.store, self._on_change, show_error)
            made.layers.color(self.class_colors)
            made.layers.heat.scale = self.scale
            made.layers.on_taken_out = self.corrections_removed.emit
            self._reviews[image.unique_id] = made
            image.events.data.connect(self._on_data)  # once, however often
        return self._reviews[image.unique_id]

    @property
    def record(self) -> CineRecord | None:
        """The record of the chosen image."""
        return None if self.review is None else self.review.record

    def layers(self) -> ExplanationLayers | None:
        """The layers of the chosen image."""
        return None if self.review is None else self.review.layers

    def figures(self) -> Mapping[str, Attention]:
        """Attention figures of the frame in view, by stage name."""
        return {} if self.review is None else self.review.figures()

    def missing(self) -> str | None:
        """What must be done before anything can be run, in words; None if nothing."""
        if self.network is None:
            return LOAD_FIRST
        if self.image is None:
            return "Open an ultrasound image or cine first: File ▸ Open File(s), or File ▸ Open Sample."
        if self.image.ndim > 3:
            return (
                f"{self.image.name} has {self.image.ndim} dimensions. Stills (Y, X) and cines (T, Y, X) are supported."
            )
        return None

    # What can be done

    def load(
        self,
        path: str | None,
        device: str = "auto",
        architecture: str | None = None,
        encoder: str | None = None,
        *,
        factory: str | None = None,
        output: str | None = None,
        weights: str | None = None,
        card: ModelCard | None = None,
    ) -> None:
        """Load a network, as ``load_network`` does it; if that fails, the earlier one stays."""
        source = ModelSource(path, architecture, encoder, factory, output=output, weights=weights)
        self._start(loading(source, device, card, lambda network: self.use(network, source)))

    def save_card(self, card: ModelCard, path: Path, then: Callable[[str | None], None]) -> None:
        """Write a card of the loaded network, in the place of one that is there; ``then`` is told why not, or None."""
        if self.network is not None:
            self._start(saving_card(self.network, card, path, then))

    def use(self, network: Network, source: ModelSource | None = None) -> None:
        """Review with this network from now on; what another has computed is forgotten.

        Args:
            network: that is ready.
            source: what it was loaded from.
        """
        for review in list(self._reviews.values()):
            review.clear()
        self.network, self.source = network, source
        self.set_class_colors(network.card.class_colors)
        self.threshold = network.card.threshold
        for warning in network.warnings:
            show_warning(warning)
        self.network_changed.emit()

    def run(self, request: Request, scope: Scope) -> None:
        """Segment, and explain if stages are asked for: the frame in view, what comes into view, or the whole cine."""
        if (missing := self.missing()) is not None:
            show_warning(missing)
            return
        network, review = self.network, self.review
        assert network is not None
        assert review is not None
        review.look_at(self.current_frame())
        self._run = RunSummary(request, scope, len(review.record), self.current_frame())
        try:
            review.begin(network, request, self.threshold, scope)
        except SegcamError as fault:
            self._run = None  # it has not begun
            show_error(str(fault))

    def set_class_colors(self, colors: Sequence[str]) -> None:
        """Draw the classes in these colors, one per output channel, in masks that are there and those to come."""
        self.class_colors = tuple(colors)
        for review in list(self._reviews.values()):
            review.layers.color(self.class_colors)

    def set_scale(self, scale: ScaleMode) -> None:
        """Give each frame a scale of its own, or all frames of a stage one, in all images."""
        self.scale = scale
        for review in list(self._reviews.values()):
            review.layers.set_scale(scale)
        self.scale_changed.emit()

    def set_threshold(self, threshold: float) -> None:
        """Cut the masks at another threshold: those that are there, and those to come."""
        self.threshold = threshold
        if self.review is not None:
            self.review.cut(threshold)

    def show_network(self, part: Literal["all", "scan"] | Shapes) -> None:
        """Show the network the whole frame, the scan as it is found in the image, or what the user has drawn around."""
        review = self.review
        if review is None:
            return
        if part == "all":
            review.part = part
            review.outline.remove()
            review.set_crop(None)
            return
        image, source = review.image, LayerSource.of(review.image)
        try:
            drawn = None if isinstance(part, str) else drawn_on(part, image)
        except SegcamError as fault:
            show_error(str(fault))
            self.job_changed.emit()  # the widgets show what the network is shown still
            return

        def show(region: ScanRegion) -> None:
            name = f"{image.name} scan ({region.source})"
            review.part = part
            review.outline.show(region.outline, name)
            review.set_crop(region.crop, is_drawn=region.source == "drawn")
            if region.note:
                show_warning(region.note)

        self._start(finding_scan(source, drawn, show))

    def set_budget(self, budget: int) -> None:
        """Let results take so many bytes."""
        self.store.budget = budget
        if self.review is not None:
            self.review.limit()

    def export(self, export: Export) -> None:
        """Write frames of the chosen image as files, with the threshold as it stands now."""
        review = self.review
        plan = None if review is None else review.plan
        if review is None or plan is None:
            show_warning("Nothing has been computed of this image yet: run Segmentation or Grad-CAM first.")
            return
        corrections, beside = review.corrections(export.frames), review.corrections_beside(export.frames)
        current = review.as_corrected(replace(plan, threshold=self.threshold), corrections)
        self.background.start(
            lambda cancelled: exporting(current, export, corrections, beside, cancelled),
            lambda: review.mark_saved(corrections, beside),
        )

    def all_corrections(self) -> list[CorrectionLayer]:
        """The corrections of all images, those that were removed with them."""
        of_images = [pair.corrections for review in self._reviews.values() for pair in review.layers.pairs]
        self._let_go = [corrections for corrections in self._let_go if corrections.frames]
        return [corrections for corrections in (*of_images, *self._let_go) if corrections.frames]

    def save_corrections(
        self, folder: Path, of: Sequence[CorrectionLayer] | None = None, then: Callable[[], object] = lambda: None
    ) -> None:
        """Write corrections as files of their own.

        Args:
            folder: to write to.
            of: of which images; by default of all.
            then: called once they are on disk.
        """
        taken = [(one, one.taken(sorted(one.frames))) for one in (self.all_corrections() if of is None else of)]
        if not taken:
            show_warning("There are no corrections yet: paint over a mask first.")
            return
        job = saving_corrections(folder, taken, then)
        job.on_done = lambda error: None if error is None else show_error(error)
        self._worker.submit(job)  # beside a job that is going on, which it must not end

    def bring_corrections_back(self) -> None:
        """Put the layers of corrections that the user has removed into the viewer again."""
        for corrections in self.all_corrections():
            corrections.bring_back()

    def run_over(self, run: FolderRun) -> None:
        """Do what was asked for in this image to all images of a folder; what those cannot be asked is refused."""
        network, source = self.network, self.source
        if network is None:
            show_warning(LOAD_FIRST)
            return
        try:
            options = self._options()
        except SegcamError as fault:
            show_warning(str(fault))
            return
        self.background.start(lambda cancelled: running_over(run, network, source, options, cancelled))

    def told_of_run_over(self) -> tuple[bool, str]:
        """Whether a folder can be run over now, and in words what will be done to each image, or why not."""
        if self.network is None:
            return False, LOAD_FIRST
        try:
            return True, in_words(self._options(), self.network)
        except SegcamError as fault:
            return False, str(fault)

    def _options(self) -> ExplainOptions:
        return options_of(None if self.review is None else self.review.plan, self.threshold)

    def cancel(self) -> None:
        """Stop computing; what has come stays."""
        if self._run is not None:
            self._run.is_cancelled = True
        if self.job is not None:
            self.job.cancel()
        if self.review is not None:
            self.review.stop()

    def current_frame(self) -> int:
        """The number of the chosen cine's frame in view; 0 for a still."""
        if self.image is None or self.image.ndim != 3:
            return 0
        at = round(float(self.image.world_to_data(self.viewer.dims.point)[0]))
        return min(max(at, 0), (frame_count(self.image) or 1) - 1)

    def go_to(self, frame: int) -> None:
        """Bring a frame of the chosen cine into view."""
        if self.image is not None and self.image.ndim == 3:
            axis = self.viewer.dims.ndim - self.image.ndim
            self.viewer.dims.set_point(axis, float(self.image.data_to_world((frame, 0, 0))[0]))

    @property
    def busy(self) -> bool:
        """Whether there is anything left to be done or to be shown of it."""
        review = self.review
        return self.job is not None or (review is not None and (review.running or review.layers.heat.is_making))

    @property
    def used(self) -> int:
        """The bytes that all results take, the masks' layers with them."""
        return self.store.used + sum(review.layers.size for review in self._reviews.values())

    @property
    def title(self) -> str:
        """What the worker is doing, in words."""
        if self.job is not None or self._run is None:
            return self.job.title if self.job is not None else ""
        told = "" if self.review is None else self.review.computation.told
        return f"{self._run.title} ({told})" if told else self._run.title

    @property
    def progress(self) -> tuple[int, int]:
        """How much of that is done, and of how much; of 0 where that is not known."""
        if self.job is not None or self._run is None or self.review is None or self._run.scope == "this":
            return 0, 0
        return self.review.progress()

    # What comes back

    def _next_job(self) -> Job | None:
        """In the worker's thread."""
        image = self.image
        review = None if image is None else self._reviews.get(image.unique_id)
        return None if review is None else review.computation.next_job()

    def _start(self, job: Job) -> None:
        if self.job is not None:
            self.job.cancel()
        on_result, on_done = job.on_result, job.on_done
        job.on_result = lambda result: on_result(result) if job is self.job and not job.cancelled else None
        job.on_done = lambda error: self._on_done(job, on_done, error)
        self.job = job
        self._worker.submit(job)
        self.job_changed.emit()

    def _on_done(self, job: Job, tell: Callable[[str | None], None], error: str | None) -> None:
        if job is self.job:
            self.job = None
            self.outcomes[job.kind] = f"{job.title}: {'failed' if error else 'cancelled' if job.cancelled else 'done'}"
        tell(error)
        if error is not None:
            show_error(error)
        self.job_changed.emit()

    def _on_change(self) -> None:
        """Of states, of figures, or of what is running in the review of the chosen image."""
        review, run = self.review, self._run
        self._worker.wake()
        if review is not None and run is not None and not review.running:
            self.outcomes[run.kind] = run.outcome(review.record)
            self._run = None
        view = view_of(self.viewer, review, self._frame)
        seen = None if review is None else _Seen.of(review, self._frame, self.busy, view)
        if seen == self._seen and self.figures() == self._figures:
            self._later.ask()
        elif seen is not None and self._seen is not None and seen.has_but_moved(self._seen):
            self._seen = seen
            self._tell_of_view()
            self._later.ask()
        else:
            self._seen = seen
            self._tell()

    def _tell(self) -> None:
        """Have the widgets and the canvas follow."""
        if self.review is not None:
            self.review.layers.heat.catch_up()
        self._tell_of_view()
        self.record_changed.emit()
        self.job_changed.emit()

    def _tell_of_view(self) -> None:
        """Have them follow the frame in view."""
        self._follow_view()
        figures = self.figures()
        if figures != self._figures:
            self._figures = figures
            self.figures_changed.emit()

    def _follow_view(self) -> None:
        """Say what is drawn: on the canvas, and to whoever shows it in words."""
        review = self.review
        view = view_of(self.viewer, review, self._frame)
        if review is not None:
            review.layers.explained_region.show(view.to_outline)
        self._status.say(view.of_frame, view.of_scale)
        if review is not None:
            review.layers.heat.show_bars(view.heated)
        if view != self.view:
            self.view = view
            self.view_changed.emit()

    def _on_drawn(self, _event: Any = None) -> None:
        """What is drawn has changed, and so has what is said of it."""
        self._on_change()

    def _on_step(self) -> None:
        frame = self.current_frame()
        if frame != self._frame:
            self._frame = frame
            self._idle_collector.note_step()
            if self.review is not None:
                self.review.look_at(frame)
            self.frame_changed.emit(frame)

    def _on_data(self, event: Any) -> None:
        """Other pixels: nothing of what was computed holds any more."""
        image = event.source
        review = self._reviews.get(image.unique_id)
        if review is not None:
            review.clear()
            self._let_go += review.let_go()
            del self._reviews[image.unique_id]  # its frames may be more or fewer now
            self._frame = self.current_frame()
            self.image_changed.emit()

    def _on_inserted(self, event: Any) -> None:
        """An image that is opened is the one to work on."""
        layer, before = event.value, self.image
        if isinstance(layer, Image) and not is_ours(layer):
            if before is not None and before in self.viewer.layers and self.review is not None and self.review.running:
                show_info(f"Work on {before.name} waits until you choose it again under image.")
            self.choose_image(layer)
        self._on_layers_changed()

    def _on_layers_changed(self, _event: Any = None) -> None:
        images = self.images()
        for gone in self._reviews.keys() - {image.unique_id for image in images}:
            self._let_go += self._reviews.pop(gone).let_go()  # its layers stay, as far as the memory goes
        if self.image not in images:
            self.choose_image(images[-1] if images else None)
        self.layers_changed.emit()
        self._follow_view()
