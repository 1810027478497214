"""The review of one image: what to compute for its frames, the results so far, and the layers that show them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QTimer

from napari_segcam.viewer.frames.cine_record import CineRecord, FrameState
from napari_segcam.viewer.frames.frame_jobs import FrameJobs
from napari_segcam.viewer.frames.frame_results import FrameFailure, FrameMasks, FrameStarted, FrameUpdate
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.result_store import ResultStore
from napari_segcam.viewer.frames.review_results import ReviewResults
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.frames.schedule import Schedule, Scope
from napari_segcam.viewer.frames.sparse_mask import SparseMask, dice
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.layers.explanation_layers import ExplanationLayers
from napari_segcam.viewer.layers.placement import frame_count
from napari_segcam.viewer.review.network_input import NetworkInput
from napari_segcam.viewer.review.painted_region import PaintedRegionWatch, painted_region
from napari_segcam.viewer.review.review_corrections import ReviewCorrections

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.network.network import Network


_MAX_FAILURES_IN_A_ROW = 3  # after which no further frame is computed


class Review:
    """Used from the UI thread.

    Args:
        viewer: that shows the image.
        image: that is reviewed.
        store: of results, which the reviews of several images share.
        on_change: called when a state, a figure or what is running has changed.
        show_error: shows the user an error.

    Attributes:
        layers: of the image.
        input: what the network sees of it.
        record: of its frames.
        results: of its frames.
        schedule: which frame is computed next.
        frame_jobs: where the worker asks for work.
        corrections: of the reader.
        is_running: whether frames are being computed, or still to be.
        allowed: returns the part of a request that may be seen; raises a SegcamError if there is none.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        image: Image,
        store: ResultStore,
        on_change: Callable[[], None],
        show_error: Callable[[str], None],
    ) -> None:
        self.image = image
        self._viewer = viewer
        self._frame_count = frame_count(image) or 1
        self.results = ReviewResults(store)
        self.schedule = Schedule(self._frame_count)
        self.frame_jobs = FrameJobs(self.schedule, self.results.missing_stages, self._on_update, self._on_end)
        self.layers = ExplanationLayers(viewer, image, lambda act: QTimer.singleShot(0, act))
        self.corrections = ReviewCorrections(self.layers, self.results)
        self.layers.heat.on_change = on_change
        self.layers.on_mask_shown = on_change
        self.layers.on_corrected = self._on_corrected
        self.layers.label_names = self.corrections.label_names
        self.input = NetworkInput(viewer, image)
        self.is_running = False
        self.allowed: Callable[[RunRequest], RunRequest] = lambda request: request
        self._on_change = on_change
        self._show_error = show_error
        self._shown_errors: set[str] = set()
        self._failures_in_a_row = 0
        self._region_watch = PaintedRegionWatch(self._on_region_painted)
        self.record = self._blank_record()

    @property
    def plan(self) -> Plan | None:
        """By which frames are computed; None before the first run."""
        return self.results.plan

    # Runs

    def start(self, network: Network, request: RunRequest, threshold: float, scope: Scope) -> None:
        """Compute the frames of the scope that have no results with these settings yet.

        Raises:
            SegcamError: if the network has no such class, the region does not fit the image, or nothing may be seen.
        """
        request = self.allowed(request)
        plan = Plan(network, self.input.source, request, threshold, lambda _frame: None)
        label = plan.label  # first of all: it refuses a class that the network does not have
        if self.plan is not None and self.plan.network is not network:
            self.clear()
        self.layers.arrange(plan.mask_names, plan.mask_names[plan.mask_index])
        region = painted_region(self._viewer, self.image, request.region, self.layers.corrections, label)
        self.is_running = True
        self._set_plan(replace(plan, painted_region=region))
        self._region_watch.watch(request.region)
        self.frame_jobs.mask_threshold = threshold
        if scope == "current":  # run once more: its pixels may have been changed in place
            self.results.drop(self.schedule.current_frame)
            self.frame_jobs.explainers.release()
        self._shown_errors.clear()
        self._failures_in_a_row = 0
        self._show_all()
        self._update_capacity()
        self.schedule.start(scope, np.flatnonzero(self.record.states == FrameState.MISSING))
        self._update_running()

    def stop(self) -> None:
        """Compute no further frame; the results so far stay."""
        self.schedule.stop()
        self.frame_jobs.cancel()
        self._update_running()

    def clear(self) -> None:
        """Drop all results and show nothing; the reader's corrections stay."""
        self.schedule.stop()
        self.frame_jobs.cancel()
        self.frame_jobs.explainers.release()
        self.results.clear()
        self.results.plan = self.frame_jobs.plan = None
        for frame in range(self._frame_count):
            self.layers.erase(frame)
        self.layers.begin((), lambda _stage, _frame: None)
        self.layers.refresh()
        self.record = self._blank_record()
        self._record_corrections()
        self.is_running = False
        self._on_change()

    def release(self) -> list[CorrectionLayer]:
        """Stop, since the image is gone; return the layers of corrections, which stay with the reader."""
        self.stop()
        self.layers.let_go()
        for corrections in self.corrections.layers():
            corrections.let_go()
        return self.corrections.layers()

    # Settings

    def set_current_frame(self, frame: int) -> None:
        """Follow the user to this frame."""
        self.schedule.set_current_frame(frame)
        self.layers.look_at(frame)
        self._drop_outdated_heatmaps([frame])
        job, plan = self.frame_jobs.job, self.plan
        is_missing = self.record.states[frame] == FrameState.MISSING
        if plan is not None and plan.is_slow and job is not None and is_missing:
            job.cancel()  # a frame takes minutes: the one in view comes first
        self._update_running()

    def set_mask_threshold(self, threshold: float) -> None:
        """Show all masks at another threshold; the network does not run, and the heatmaps stay as they are."""
        self.frame_jobs.mask_threshold = threshold
        self._update_masks()

    def set_crop(self, crop: tuple[slice, slice] | None, *, is_drawn: bool = False) -> None:
        """Let the network see these rows and columns alone, and compute again what was running."""
        if not self.input.has_crop(crop, is_drawn=is_drawn):
            self._restart(lambda: self.input.set_crop(crop, is_drawn=is_drawn))

    def use_contrast_limits(self) -> None:
        """Use the layer's contrast limits as black and white for the network, and compute again what was running."""
        self._restart(self.input.use_contrast_limits)

    def apply_budget(self) -> None:
        """Keep to the store's budget, which has changed."""
        self._update_capacity()
        self._shrink()
        self._on_change()

    def _restart(self, change_input: Callable[[], None]) -> None:
        """Change what the network sees, and run again what was running."""
        plan, scope = self.plan, self.schedule.scope
        self.clear()
        change_input()
        if plan is not None and scope is not None:
            self.start(plan.network, plan.request, self.frame_jobs.mask_threshold, scope)

    def _set_plan(self, plan: Plan) -> None:
        """Show the results of this plan, and no others."""
        earlier = self.plan
        if earlier is not None and earlier.mask_key != plan.mask_key:
            self.clear()
        elif earlier is not None and earlier.heat_key != plan.heat_key:
            self.frame_jobs.cancel()
        self.record.drop_ratios()
        # with no stages, for a mask alone, all heatmaps are removed
        self.layers.begin(plan.stages, lambda stage, frame: self.results.heatmap(plan, stage, frame))
        self.results.plan = self.frame_jobs.plan = plan

    # What is shown in words and curves

    def figures(self) -> Mapping[str, Attention]:
        """Return the attention figures of the frame in view, by stage name."""
        return self.results.figures(self.schedule.current_frame)

    @cached_property
    def full_frame(self) -> SparseMask:
        """The region of all pixels of a frame."""
        rows, columns = self.image.data.shape[self.image.ndim - 2 : self.image.ndim]
        return SparseMask(slice(0, rows), slice(0, columns), np.ones((rows, columns), np.uint8))

    def progress(self) -> tuple[int, int]:
        """Return how many frames are done, and how many are in the run."""
        done = int(np.count_nonzero(self.record.states == FrameState.DONE))
        return done, done + self.schedule.pending_count()

    # Updates from the worker

    def _on_update(self, update: FrameUpdate) -> None:
        if isinstance(update, FrameStarted):
            self.record.set_state(update.frame, FrameState.COMPUTING)
        elif isinstance(update, FrameFailure):
            self._fail(update.frame, update.message)
        elif isinstance(update, FrameMasks):
            if update.mask_threshold == self.frame_jobs.mask_threshold and self.results.put_masks(update):
                self._show(update.frame)
                self._refresh(update.frame)
        elif self.results.put(update):
            self._failures_in_a_row = 0
            self._show(update.frame)
            self._refresh(update.frame)
            if update.mask_threshold != self.frame_jobs.mask_threshold:
                self._update_masks()
            self._shrink()
        self._on_change()

    def _on_end(self, frame: int, error: str | None) -> None:
        self.schedule.finish(frame)
        if error is not None:
            self._fail(frame, error)
        elif self.record.states[frame] == FrameState.COMPUTING:  # cancelled, or of an earlier plan
            self.record.set_state(frame, FrameState.MISSING)
            self.schedule.mark_missing(frame)
        self._update_running()

    def _update_running(self) -> None:
        self.is_running = self.schedule.pending_count() > 0
        self._on_change()

    def _fail(self, frame: int, message: str) -> None:
        self.record.set_state(frame, FrameState.FAILED, message)
        if message not in self._shown_errors:
            self._shown_errors.add(message)
            self._show_error(message)
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= _MAX_FAILURES_IN_A_ROW:
            self.schedule.stop()

    # Results to layers and record

    def _show_all(self) -> None:
        """Enter all stored results into the layers and the record."""
        self.record.failures.clear()
        self.record.states[:] = FrameState.MISSING
        self._record_corrections()
        for frame in self.results.frames():
            self._show(frame)
        self._update_masks()
        self.layers.refresh()

    def _show(self, frame: int) -> None:
        """Enter a frame's results into the layers and the record."""
        stored = self.results.segmentation(frame)
        if stored is None:
            return
        frame_shape = stored.segmentation.geometry.frame_shape
        self.layers.enter(frame, stored.masks, frame_shape, stored.class_count, self.results.heatmaps(frame))
        if self.results.is_of_explained_class(stored):
            figures = self.results.figures(frame, self.plan)
            self.record.enter_results(frame, stored.finding, figures, stored.disagreement_value)
        for later in range(max(frame, 1), min(frame + 2, self._frame_count)):
            self._record_dice(later)
        if self.results.is_complete(frame):
            self.record.set_state(frame, FrameState.DONE)

    def _refresh(self, frame: int) -> None:
        """Draw the layers again if this frame is in view."""
        if frame == self.schedule.current_frame:
            self.layers.refresh()

    def _record_dice(self, frame: int) -> None:
        before, after = self.results.segmentation(frame - 1), self.results.segmentation(frame)
        if before is not None and after is not None and self.plan is not None:
            index = self.plan.mask_index
            value = dice(before.masks[index], after.masks[index], self.plan.label)
            self.record.enter(frame, {CineRecord.DICE: np.nan if value is None else value})

    def _update_masks(self) -> None:
        """Make the masks again that are of another threshold, or whose figures are of another class."""
        outdated = self.results.outdated_masks(self.frame_jobs.mask_threshold)
        distances = self.schedule.distances()
        self.frame_jobs.update_masks(sorted(outdated.items(), key=lambda item: distances[item[0]]))
        self._on_change()

    def _update_capacity(self) -> None:
        capacity = self.results.capacity(self.layers.size)
        self.schedule.set_capacity(self._frame_count if capacity is None else capacity)

    def _shrink(self) -> None:
        for frame in self.results.shrink(self.schedule.distances(), self.layers.size):
            self.layers.erase(frame)
            self.record.set_state(frame, FrameState.MISSING)
            self.schedule.mark_missing(frame)
        self._update_capacity()

    # What the reader paints

    def _on_region_painted(self, frames: set[int] | None) -> None:
        all_frames = set(range(self._frame_count))
        painted = all_frames if frames is None else frames
        self._drop_outdated_heatmaps({self.schedule.current_frame, *painted} & all_frames)

    def _on_corrected(self, frames: Collection[int]) -> None:
        self._record_corrections()
        self._drop_outdated_heatmaps(frames)
        self._on_change()

    def _record_corrections(self) -> None:
        self.record.enter_corrections(self.corrections.areas(self.input.source.spacing_mm))

    def _drop_outdated_heatmaps(self, frames: Iterable[int]) -> None:
        """Drop heatmaps whose region was painted in since, and compute them again."""
        outdated = [frame for frame in frames if self.results.drop_outdated_heatmaps(frame)]
        for frame in outdated:
            self.record.set_state(frame, FrameState.MISSING)
            self.schedule.mark_missing(frame)
        if outdated:
            self.layers.heat.refresh()
            self._update_running()

    def _blank_record(self) -> CineRecord:
        return CineRecord(self._frame_count, "pixels" if self.input.source.spacing_mm is None else "mm²")
