"""The review of one image: what is wanted of its frames, what of that has come, and what of it is shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_segcam.viewer.frames.cine_record import CineRecord, State
from napari_segcam.viewer.frames.frame_jobs import Computation, FrameCut, Given, Started
from napari_segcam.viewer.frames.frame_results import FrameFailure
from napari_segcam.viewer.frames.plan import CORRECTED, LayerSource, Plan, Request, label_explained
from napari_segcam.viewer.frames.result_store import ResultStore
from napari_segcam.viewer.frames.review_results import Explained, ReviewResults, Segmented
from napari_segcam.viewer.frames.schedule import Schedule, Scope
from napari_segcam.viewer.frames.sparse_mask import SparseMask, dice
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.layers.explanation_layers import ExplanationLayers
from napari_segcam.viewer.layers.labels_on_image import on_painted
from napari_segcam.viewer.layers.placement import MOVING_EVENTS, frame_count
from napari_segcam.viewer.layers.scan_outline import ScanOutline
from napari_segcam.viewer.review.painted_region import painted_by

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.evidence.finding import Finding
    from napari_segcam.network.network import Network
    from napari_segcam.reporting.correction import Correction, OtherCorrections

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
        part: which that is: ``"all"``, ``"scan"``, or the Shapes layer in which it is drawn.
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
        self._viewer = viewer
        self.layers = ExplanationLayers(viewer, image, lambda act: QTimer.singleShot(0, act))
        self.layers.heat.on_change = on_change
        self.layers.on_mask_shown = on_change
        self.layers.on_corrected = self._on_corrected
        self.layers.label_names = self._label_names
        self.outline = ScanOutline(viewer, image)
        self.part: Any = "all"
        self.running = False
        self._frames = frame_count(image) or 1
        self._kept = ReviewResults(store)
        self._schedule = Schedule(self._frames)
        self.computation = Computation(self._schedule, self._kept.missing, self._take_in, self._on_end)
        self._on_change = on_change
        self._tell = tell
        self._source = LayerSource.of(image)
        self._told: set[str] = set()
        self._failed_in_a_row = 0
        self._painted_in: Labels | None = None
        self._watched: WeakSet[Labels] = WeakSet()
        self.record = self._blank_record()

    # What is wanted

    @property
    def plan(self) -> Plan | None:
        """By which frames are computed; None before the first run."""
        return self._kept.plan

    def begin(self, network: Network, request: Request, threshold: float, scope: Scope) -> None:
        """Have frames computed, as far as they have not been, or were with other settings."""
        label = label_explained(network, request)
        self._arrange(network, request)
        painted = painted_by(self._viewer, self.image, request.region, self.layers.corrections, label)
        self.running = True
        self._adopt(Plan(network, self._source, request, threshold, label, painted))
        self._watch(request.region if isinstance(request.region, Labels) else None)
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
        self.layers.look_at(frame)
        self._drop_if_painted_over([frame])
        job = self.computation.job
        if self._is_slow and job is not None and self.record.states[frame] == State.MISSING:
            job.cancel()  # a frame takes minutes: the one in view goes before
        self._check_running()

    def cut(self, threshold: float) -> None:
        """Cut all masks at another threshold; nothing is computed anew, and the heatmaps stay as they are."""
        self.computation.cut = threshold
        self._cut_again()

    def set_crop(self, crop: tuple[slice, slice] | None, *, is_drawn: bool = False) -> None:
        """Show the network only these rows and columns; what it has been asked for is computed anew."""
        if (crop, is_drawn) == (self._source.crop, self._source.is_crop_drawn):
            return
        plan, scope = self.plan, self._schedule.scope
        self.clear()
        self._source = LayerSource.of(self.image, crop, is_crop_drawn=is_drawn)
        if plan is not None and scope is not None:
            self.begin(plan.network, plan.request, self.computation.cut, scope)

    def gray_values(self) -> str:
        """What black and white are for the network, in words; empty while that is not known."""
        source = self._source
        if source.value_range is not None:
            black, white = source.value_range
            return f"black {black:g}, white {white:g}"
        cine = source.__dict__.get("cine")  # which the worker makes, and which reads frames to tell
        used = None if cine is None else cine.__dict__.get("black_and_white")
        return f"black {used.black:g}, white {used.white:g}{' (assumed)' * used.is_assumed}" if used is not None else ""

    def take_contrast_limits(self) -> None:
        """Take black and white for the network from the layer's contrast limits, and compute again what was wished."""
        known = {
            **self.image.metadata.get("segcam_source", {}),
            "value_range": tuple(map(float, self.image.contrast_limits)),
            "value_range_from": "the layer's contrast limits",
        }
        self.image.metadata = {**self.image.metadata, "segcam_source": known}
        plan, scope, before = self.plan, self._schedule.scope, self._source
        self.clear()
        self._source = LayerSource.of(self.image, before.crop, is_crop_drawn=before.is_crop_drawn)
        if plan is not None and scope is not None:
            self.begin(plan.network, plan.request, self.computation.cut, scope)

    def limit(self) -> None:
        """Keep to the store's budget, which has changed."""
        self._limit()
        self._shrink()
        self._on_change()

    def clear(self) -> None:
        """Forget all results and show nothing; the reader's corrections stay."""
        self._schedule.stop()
        self.computation.cancel()
        self._kept.forget()
        self._kept.plan = self.computation.plan = None
        for frame in range(self._frames):
            self.layers.erase(frame)
        self.layers.begin((), lambda _stage, _frame: None)
        self.layers.refresh()
        self.record = self._blank_record()
        self._enter_corrections()
        self.running = False
        self._on_change()

    def _arrange(self, network: Network, request: Request) -> None:
        """Have a layer for each mask that the network gives; what another kind of network has given is forgotten."""
        if self.plan is not None and self.plan.network is not network:
            self.clear()
        if not (network.classes_overlap and network.segments):
            self.layers.arrange(("",), "")
            return
        given = network.class_names
        names = [
            name if name and given.count(name) == 1 else f"{name} {index}".lstrip() for index, name in enumerate(given)
        ]
        self.layers.arrange(names, names[network.class_index(request.class_index)])

    # What there is to see

    def figures(self) -> Mapping[str, Attention]:
        """Attention figures of the frame in view, by stage name."""
        return self._kept.figures(self._schedule.at)

    def finding(self) -> Finding | None:
        """Figures of the mask that was predicted for the frame in view."""
        segmented = self._kept.segmented(self._schedule.at)
        return None if segmented is None or not self._is_current(segmented) else segmented.finding

    def explained(self, frame: int) -> Explained | None:
        """What is kept of a frame's heatmaps, and of the region that they explain."""
        return self._kept.explained(frame)

    @cached_property
    def whole_frame(self) -> SparseMask:
        """All pixels of a frame."""
        rows, columns = self.image.data.shape[self.image.ndim - 2 : self.image.ndim]
        return SparseMask(slice(0, rows), slice(0, columns), np.ones((rows, columns), np.uint8))

    def has_heat(self, stage: str) -> bool:
        """Whether a stage has heat in the frame in view."""
        heatmap = self._kept.heatmaps(self._schedule.at).get(stage)
        return heatmap is not None and heatmap.reason is None

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

    # What the reader has corrected

    def corrections(self, frames: Iterable[int]) -> dict[int, Correction]:
        """The corrections of these frames as they are now."""
        from napari_segcam.reporting.correction import Correction

        layer, plan = self.layers.corrections, self.plan

        def is_explained(frame: int) -> bool:
            asked = plan is not None and plan.request.region == CORRECTED
            return asked and plan is not None and layer.label_of(frame, plan.label) is not None

        taken = layer.taken(frames)
        return {frame: Correction(labels, names, is_explained(frame)) for frame, (labels, names) in taken.items()}

    def corrections_beside(self, frames: Iterable[int]) -> dict[int, dict[str, NDArray[np.uint8]]]:
        """Those of other classes that may overlap the explained one, as they are now."""
        others = [pair.corrections for pair in self.layers.pairs if pair.corrections is not self.layers.corrections]
        return {
            frame: {
                layer.of_class or "labels": pixels.copy()
                for layer in others
                if (pixels := layer.pixels(frame)) is not None
            }
            for frame in frames
        }

    def as_corrected(self, plan: Plan, corrections: Mapping[int, Correction]) -> Plan:
        """A plan that explains these corrections, whatever is painted meanwhile."""
        if plan.request.region != CORRECTED:
            return plan
        label_of, label = self.layers.corrections.label_of, plan.label
        regions = {
            frame: correction.labels == label_of(frame, label)
            for frame, correction in corrections.items()
            if correction.is_explained
        }
        return replace(plan, painted=regions.get)

    def let_go(self) -> list[CorrectionLayer]:
        """The image is no more: compute nothing, and leave the corrections to the reader."""
        self.stop()
        self.layers.explained_region.let_go()
        for pair in self.layers.pairs:
            pair.corrections.let_go()
        return [pair.corrections for pair in self.layers.pairs]

    def mark_saved(self, corrections: Mapping[int, Correction], beside: Mapping[int, OtherCorrections]) -> None:
        """Note that these corrections are on disk."""
        self.layers.corrections.mark_saved({frame: one.labels for frame, one in corrections.items()})
        for pair in self.layers.pairs:
            own = pair.corrections.of_class or "labels"
            if pair.corrections is not self.layers.corrections:
                pair.corrections.mark_saved({frame: of[own] for frame, of in beside.items() if own in of})

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
        self.record.forget_ratios()
        # of a mask alone there is no heat to show
        self.layers.begin(plan.stages, lambda stage, frame: self._kept.heatmap(plan, stage, frame))
        self._kept.plan = self.computation.plan = plan

    def _enter_all(self) -> None:
        """Take all that is kept into the layers and the record."""
        self.record.failures.clear()
        self.record.states[:] = State.MISSING
        self._enter_corrections()
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
        self.layers.enter(frame, segmented.masks, shape, classes, self._kept.heatmaps(frame))
        if self._is_current(segmented):
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
            at = self.plan.mask_at
            value = dice(before.masks[at], after.masks[at], self.plan.label)
            self.record.enter(frame, {CineRecord.DICE: np.nan if value is None else value})

    def _cut_again(self) -> None:
        cut, distances = self.computation.cut, self._schedule.distances()
        stale = {frame: segmented for frame in self._kept.frames() if (segmented := self._kept.segmented(frame))}
        order = sorted(
            (frame for frame, segmented in stale.items() if segmented.cut != cut or not self._is_current(segmented)),
            key=distances.__getitem__,
        )
        self.computation.cut_again([(frame, stale[frame].segmentation) for frame in order])
        self._on_change()

    def _is_current(self, segmented: Segmented) -> bool:
        """Whether the figures that are kept of a frame are those of the explained class."""
        return self.plan is not None and segmented.class_index == self.plan.class_index

    def _limit(self) -> None:
        room = self._kept.room(self.layers.size)
        self._schedule.limit(self._frames if room is None else room)

    def _shrink(self) -> None:
        for frame in self._kept.shrink(self._schedule.distances(), self.layers.size):
            self.layers.erase(frame)
            self.record.set_state(frame, State.MISSING)
            self._schedule.want(frame)
        self._limit()

    # What the reader paints

    def _watch(self, labels: Labels | None) -> None:
        """Follow what is painted in the Labels layer whose painted pixels are the region, and where it is moved."""
        if labels is not None and labels not in self._watched:
            self._watched.add(labels)
            on_painted(labels, lambda frames: self._on_region_painted(labels, frames))
            for event in MOVING_EVENTS:
                getattr(labels.events, event).connect(lambda _event: self._on_region_painted(labels, None))
        self._painted_in = labels

    def _on_region_painted(self, labels: Labels, frames: set[int] | None) -> None:
        if frames is None or labels.ndim < 3:
            frames = set(range(self._frames))
        if labels is self._painted_in:
            self._drop_if_painted_over({self._schedule.at, *frames} & set(range(self._frames)))

    def _on_corrected(self, frames: Collection[int]) -> None:
        self._enter_corrections()
        self._drop_if_painted_over(frames)
        self._on_change()

    def _enter_corrections(self) -> None:
        self.record.enter_corrections({frame: self._corrected_area(frame) for frame in sorted(self.layers.corrected)})

    def _corrected_area(self, frame: int) -> float:
        """Of the explained class in a correction; of all that is painted as long as nothing is explained."""
        correction = self.layers.corrections.seen(frame)
        if correction is None:
            return float("nan")  # another class that may overlap this one is corrected
        spacing = self._source.spacing_mm
        label = None if self.plan is None else self.layers.corrections.label_of(frame, self.plan.label)
        if self.plan is not None and label is None:
            return float("nan")  # it says nothing of this class
        labels = correction.labels
        pixels = np.count_nonzero(labels if label is None else labels == label)
        return float(pixels * (1 if spacing is None else spacing[0] * spacing[1]))

    def _label_names(self) -> dict[int, str]:
        """What the network at hand calls the labels of its masks."""
        if self.plan is None:
            return {}
        names = self.plan.network.class_names
        return dict(enumerate(names[1:], start=1)) if self.has_classes else {1: names[0]}

    def _drop_if_painted_over(self, frames: Iterable[int]) -> None:
        """Heatmaps of a region that was painted in since are computed again."""
        dropped = [frame for frame in frames if self._kept.drop_if_painted_over(frame)]
        for frame in dropped:
            self.record.set_state(frame, State.MISSING)
            self._schedule.want(frame)
        if dropped:
            self.layers.heat.refresh()
            self._check_running()

    @property
    def _is_slow(self) -> bool:
        return self.plan is not None and self.plan.is_slow

    def _blank_record(self) -> CineRecord:
        return CineRecord(self._frames, "pixels" if self._source.spacing_mm is None else "mm²")
