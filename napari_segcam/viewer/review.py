"""The review of one image: what is wanted of its frames, what of that has come, and what of it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtCore import QTimer

from napari_segcam.viewer.computation import Computation, FrameCut, Given, Started
from napari_segcam.viewer.kept import Kept
from napari_segcam.viewer.layers import ExplanationLayers
from napari_segcam.viewer.painting import painted_by
from napari_segcam.viewer.placement import frame_count
from napari_segcam.viewer.record import CineRecord, State
from napari_segcam.viewer.results import ResultStore
from napari_segcam.viewer.scan_outline import ScanOutline
from napari_segcam.viewer.schedule import Schedule, Scope
from napari_segcam.viewer.sparse_mask import dice
from napari_segcam.viewer.work import FrameFailure, Plan, Request, Source, label_explained

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.evidence.finding import Finding
    from napari_segcam.network.network import Network

_GIVE_UP_AFTER = 3  # frames that failed one after the other


class Review:
    """Used from the UI thread.

    Args:
        viewer: that shows the image.
        image: that is reviewed.
        store: of results, which the reviews of several images share.
        on_change: called when a state, a figure or what is running has changed.
        tell: shows the user an error.

    Attributes:
        layers: of the image.
        outline: of the part that the network is shown.
        record: of its frames.
        computation: what the worker asks for work.
        running: whether frames are being computed, or still to be.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        image: Image,
        store: ResultStore,
        on_change: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        self.image = image
        self.layers = ExplanationLayers(viewer, image, lambda act: QTimer.singleShot(0, act))
        self.layers.heat.on_change = on_change
        self.outline = ScanOutline(viewer, image)
        self.running = False
        self._frames = frame_count(image) or 1
        self._kept = Kept(store)
        self._schedule = Schedule(self._frames)
        self.computation = Computation(self._schedule, self._kept.missing, self._take_in, self._on_end)
        self._on_change = on_change
        self._tell = tell
        self._source = Source.of(image)
        self._told: set[str] = set()
        self._failed_in_a_row = 0
        self._painted_on: list[Labels] = []
        self.record = self._blank_record()

    # What is wanted

    @property
    def plan(self) -> Plan | None:
        """By which frames are computed; None before the first run."""
        return self._kept.plan

    def begin(self, network: Network, request: Request, threshold: float, scope: Scope) -> None:
        """Have frames computed, as far as they have not been, or were with other settings."""
        label = label_explained(network, request)
        painted = painted_by(request.region, self.layers.masks, label)
        self.running = True
        self._adopt(Plan(network, self._source, request, threshold, label, painted))
        self.computation.cut = threshold
        if scope == "this":  # asked for once more: its pixels may have been changed in place
            self._kept.drop(self._schedule.at)
        self._told.clear()
        self._failed_in_a_row = 0
        self._enter_all()
        self._limit()
        self._schedule.start(scope, np.flatnonzero(self.record.states == State.MISSING))
        self._check_running()

    def stop(self) -> None:
        """Compute no further frame; what has come stays."""
        self._schedule.stop()
        self.computation.cancel()
        self._check_running()

    def look_at(self, frame: int) -> None:
        """The user has come to this frame."""
        self._schedule.look_at(frame)
        self.layers.heat.look_at(frame)
        self._check_painted()
        job = self.computation.job
        if self._is_slow and job is not None and self.record.states[frame] == State.MISSING:
            job.cancel()  # a frame takes minutes: the one in view goes before
        self._check_running()

    def cut(self, threshold: float) -> None:
        """Cut all masks at another threshold; nothing is computed anew, and the heatmaps stay as they are."""
        self.computation.cut = threshold
        self._cut_again()

    def set_crop(self, crop: tuple[slice, slice] | None) -> None:
        """Show the network only these rows and columns; what it has been asked for is computed anew."""
        if crop == self._source.crop:
            return
        plan, scope = self.plan, self._schedule.scope
        self.clear()
        self._source = Source.of(self.image, crop)
        if plan is not None and scope is not None:
            self.begin(plan.network, plan.request, self.computation.cut, scope)

    def limit(self) -> None:
        """Keep to the store's budget, which has changed."""
        self._limit()
        self._shrink()
        self._on_change()

    def clear(self) -> None:
        """Forget all results and show nothing; what the user has edited stays."""
        self._schedule.stop()
        self.computation.cancel()
        self._kept.forget()
        self._kept.plan = self.computation.plan = None
        for frame in range(self._frames):
            self.layers.masks.erase(frame)
        self.layers.begin((), lambda _stage, _frame: None)
        self.layers.refresh()
        self.record = self._blank_record()
        self.running = False
        self._on_change()

    # What there is to see

    def figures(self) -> Mapping[str, Attention]:
        """Attention figures of the frame in view, by stage name."""
        return self._kept.figures(self._schedule.at)

    def finding(self) -> Finding | None:
        """Figures of the mask that was predicted for the frame in view."""
        segmented = self._kept.segmented(self._schedule.at)
        return None if segmented is None else segmented.finding

    def why_empty(self, stage: str) -> str | None:
        """Why a stage has no heat in the frame in view, in words; None where it has, or is not computed."""
        heatmap = self._kept.heatmaps(self._schedule.at).get(stage)
        return None if heatmap is None or heatmap.reason is None else heatmap.reason.value

    @property
    def has_classes(self) -> bool:
        """Whether the likeliest of several classes is found, rather than one cut at a threshold."""
        return self.plan is not None and self.plan.network.has_background

    def awaits(self, frame: int) -> bool:
        """Whether a frame is being computed, or still to be."""
        return self._schedule.awaits(frame)

    def progress(self) -> tuple[int, int]:
        """How many frames are done, and of how many that are wanted."""
        done = int(np.count_nonzero(self.record.states == State.DONE))
        return done, done + self._schedule.remaining()

    # What comes back from the worker

    def _take_in(self, given: Given) -> None:
        if isinstance(given, Started):
            self.record.set_state(given.frame, State.COMPUTING)
        elif isinstance(given, FrameFailure):
            self._fail(given.frame, given.message)
        elif isinstance(given, FrameCut):
            if given.cut == self.computation.cut and self._kept.keep_cut(given):
                self._show(given.frame)
                self._draw(given.frame)
        elif self._kept.keep(given):
            self._failed_in_a_row = 0
            self._show(given.frame)
            self._draw(given.frame)
            if given.cut != self.computation.cut:
                self._cut_again()
            self._shrink()
        self._on_change()

    def _on_end(self, frame: int, error: str | None) -> None:
        self._schedule.end(frame)
        if error is not None:
            self._fail(frame, error)
        elif self.record.states[frame] == State.COMPUTING:  # cancelled, or of a plan that is no more
            self.record.set_state(frame, State.MISSING)
            self._schedule.want(frame)
        self._check_running()

    def _check_running(self) -> None:
        self.running = self._schedule.remaining() > 0
        self._on_change()

    def _fail(self, frame: int, message: str) -> None:
        self.record.set_state(frame, State.FAILED, message)
        if message not in self._told:
            self._told.add(message)
            self._tell(message)
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= _GIVE_UP_AFTER:
            self._schedule.stop()

    # What is shown of it

    def _adopt(self, plan: Plan) -> None:
        """Show what goes with this plan, and nothing else."""
        old = self.plan
        if old is not None and old.mask_key != plan.mask_key:
            self.clear()
        elif old is not None and old.heat_key != plan.heat_key:
            self.computation.cancel()
        if plan.request.stages is not None or old is None:
            self.record.forget_ratios()
            self.layers.begin(plan.stages, lambda stage, frame: self._kept.heatmap(plan, stage, frame))
        else:
            self.layers.begin(None, lambda _stage, _frame: None)
        self._kept.plan = self.computation.plan = plan

    def _enter_all(self) -> None:
        """Take all that is kept into the layers and the record."""
        self.record.failures.clear()
        self.record.states[:] = State.MISSING
        for frame in self._kept.frames():
            self._show(frame)
        self._cut_again()
        self.layers.refresh()

    def _show(self, frame: int) -> None:
        """Take a frame's results into the layers and the record."""
        segmented = self._kept.segmented(frame)
        if segmented is None:
            return
        shape, classes = segmented.segmentation.geometry.frame_shape, segmented.classes
        self.layers.enter(frame, segmented.mask, shape, classes, self._kept.heatmaps(frame))
        self._watch(self.layers.mask)
        self.record.enter_results(frame, segmented.finding, self._kept.figures(frame))
        for later in range(max(frame, 1), min(frame + 2, self._frames)):
            self._enter_dice(later)
        if self._kept.is_complete(frame):
            self.record.set_state(frame, State.DONE)

    def _draw(self, frame: int) -> None:
        """Draw what has come for a frame, as far as it is seen."""
        if frame == self._schedule.at:
            self.layers.refresh()

    def _enter_dice(self, frame: int) -> None:
        before, after = self._kept.segmented(frame - 1), self._kept.segmented(frame)
        if before is not None and after is not None and self.plan is not None:
            value = dice(before.mask, after.mask, self.plan.label)
            self.record.enter(frame, {CineRecord.DICE: np.nan if value is None else value})

    def _cut_again(self) -> None:
        cut, distances = self.computation.cut, self._schedule.distances()
        stale = {frame: segmented for frame in self._kept.frames() if (segmented := self._kept.segmented(frame))}
        order = sorted((frame for frame, segmented in stale.items() if segmented.cut != cut), key=distances.__getitem__)
        self.computation.cut_again([(frame, stale[frame].segmentation) for frame in order])
        self._on_change()

    def _limit(self) -> None:
        room = self._kept.room(self.layers.masks.size)
        self._schedule.limit(self._frames if room is None else room)

    def _shrink(self) -> None:
        for frame in self._kept.shrink(self._schedule.distances(), self.layers.masks.size):
            self.layers.masks.erase(frame)
            self.record.set_state(frame, State.MISSING)
            self._schedule.want(frame)
        self._limit()

    # What the user does to the layers

    def _watch(self, labels: Labels | None) -> None:
        if labels is not None and labels not in self._painted_on:
            self._painted_on.append(labels)
            for event in (labels.events.paint, labels.events.labels_update, labels.events.set_data):
                event.connect(self._check_painted)  # no one of them tells of every stroke, fill and undo

    def _check_painted(self) -> None:
        """Note whether the user has edited the frame in view; heatmaps of an edited region are made anew."""
        frame = self._schedule.at
        (self.record.edited.add if self.layers.masks.is_edited(frame) else self.record.edited.discard)(frame)
        if self._kept.drop_if_painted_over(frame):
            self.record.set_state(frame, State.MISSING)
            self._schedule.want(frame)
            self.layers.heat.refresh()
            self._check_running()

    @property
    def _is_slow(self) -> bool:
        return self.plan is not None and self.plan.is_slow

    def _blank_record(self) -> CineRecord:
        return CineRecord(self._frames, "pixels" if self._source.spacing_mm is None else "mm²")
