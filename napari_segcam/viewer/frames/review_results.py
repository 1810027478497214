"""The results of one image under the current plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.frame_results import FrameMasks, FrameResult, StoredDisagreement
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.region_digest import region_digest
from napari_segcam.viewer.frames.result_store import ResultStore
from napari_segcam.viewer.frames.sparse_mask import SparseMask

if TYPE_CHECKING:  # torch comes with these, and is imported in the worker first
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.evidence.finding import Finding
    from napari_segcam.explanation.explanation import Heatmap, Segmentation


@dataclass(frozen=True, eq=False)
class StoredSegmentation:
    """The segmentation of a frame, its masks at a threshold, and the figures of one class in them."""

    segmentation: Segmentation
    masks: tuple[SparseMask, ...]
    mask_threshold: float
    finding: Finding
    class_index: int
    class_count: int
    disagreement: StoredDisagreement | None = None

    @property
    def disagreement_value(self) -> float | None:
        """How much the members of an ensemble disagree; None if it is unknown for these masks."""
        known = self.disagreement
        return known.value if known is not None and known.threshold == self.mask_threshold else None

    @property
    def size(self) -> int:
        """In bytes."""
        deviation = 0 if self.disagreement is None else self.disagreement.deviation.nbytes
        return deviation + self.segmentation.probabilities.nbytes + sum(mask.labels.nbytes for mask in self.masks)


@dataclass(frozen=True, eq=False)
class StoredHeatmaps:
    """The heatmaps of a frame by stage name, and the region that they explain (None for the whole frame).

    ``is_found`` and ``against`` are as in ``FrameResult``.
    """

    heatmaps: Mapping[str, Heatmap]
    figures: Mapping[str, Attention]
    region_digest: bytes | None
    region: SparseMask | None
    is_found: bool | None = None
    against: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """In bytes."""
        region = 0 if self.region is None else self.region.labels.nbytes
        return region + sum(heatmap.values.nbytes for heatmap in self.heatmaps.values())


class ReviewResults:
    """The results of one image in a store that other images may share.

    Besides the frames that are computed by the plan, the user can ask about a place in a frame: as long as there is an
    asked plan, its heatmaps are shown instead, and those of the plan are kept.

    Attributes:
        beside: the plan of a second network on the same frames; its results count in the budget, and those of a frame
            are dropped together with the frame's own. None for none.
    """

    def __init__(self, store: ResultStore) -> None:
        self._plan: Plan | None = None
        self._asked: Plan | None = None
        self._store = store
        self.beside: Plan | None = None

    @property
    def plan(self) -> Plan | None:
        """By which frames are computed; None for none. A new plan ends what was asked."""
        return self._plan

    @plan.setter
    def plan(self, plan: Plan | None) -> None:
        self.asked = None
        self._plan = plan

    @property
    def asked(self) -> Plan | None:
        """By which the places that the user asks about are explained; None for none."""
        return self._asked

    @asked.setter
    def asked(self, asked: Plan | None) -> None:
        if self._asked is not None and asked is not self._asked:
            self._store.drop_all(self._asked.heat_key)
        self._asked = asked

    @property
    def shown(self) -> Plan | None:
        """The plan whose heatmaps are shown."""
        return self._asked or self._plan

    def segmentation(self, frame: int) -> StoredSegmentation | None:
        """Return the stored segmentation of a frame, or None."""
        return None if self.plan is None else self._store.get(self.plan.mask_key, frame)

    def stored_heatmaps(self, frame: int, plan: Plan | None = None) -> StoredHeatmaps | None:
        """Return the stored heatmaps of a frame with their region, or None; by default of the shown plan."""
        plan = plan or self.shown
        return None if plan is None else self._store.get(plan.heat_key, frame)

    def heatmaps(self, frame: int, plan: Plan | None = None) -> dict[str, Heatmap]:
        """Return the heatmaps of a frame that a plan, by default the shown one, asks for, by stage name."""
        plan = plan or self.shown
        stored = self.stored_heatmaps(frame, plan)
        if stored is None or plan is None:
            return {}
        return {stage: stored.heatmaps[stage] for stage in plan.stages if stage in stored.heatmaps}

    def figures(self, frame: int, plan: Plan | None = None) -> dict[str, Attention]:
        """Return the attention figures of these heatmaps, by stage name."""
        stored = self.stored_heatmaps(frame, plan)
        return {} if stored is None else {stage: stored.figures[stage] for stage in self.heatmaps(frame, plan)}

    def finding(self, frame: int) -> Finding | None:
        """Return the figures of the predicted mask of the explained class, or None."""
        stored = self.segmentation(frame)
        return stored.finding if stored is not None and self.is_of_explained_class(stored) else None

    def is_of_explained_class(self, stored: StoredSegmentation) -> bool:
        """Whether the stored figures of a frame are those of the explained class."""
        return self.plan is not None and stored.class_index == self.plan.class_index

    def heatmap(self, plan: Plan, stage: str, frame: int) -> Heatmap | None:
        """Return a heatmap of any plan, the current one or another; None if it is not stored."""
        stored = self._store.get(plan.heat_key, frame)
        return None if stored is None else stored.heatmaps.get(stage)

    def missing_stages(self, plan: Plan, frame: int) -> tuple[str, ...]:
        """Return the stages of which a frame has no heatmap yet."""
        stored = self._store.get(plan.heat_key, frame)
        return tuple(stage for stage in plan.stages if stored is None or stage not in stored.heatmaps)

    def is_complete(self, frame: int) -> bool:
        """Whether a frame has all that the plan asks for."""
        plan = self.plan
        return plan is not None and self.segmentation(frame) is not None and not self.missing_stages(plan, frame)

    def frames(self) -> list[int]:
        """Return the frames that have a mask."""
        return [] if self.plan is None else self._store.frames(self.plan.mask_key)

    def outdated_masks(self, mask_threshold: float) -> dict[int, Segmentation]:
        """Return the segmentations whose masks are of another threshold, or their figures of another class."""
        return {
            frame: stored.segmentation
            for frame in self.frames()
            if (stored := self.segmentation(frame)) is not None
            and (stored.mask_threshold != mask_threshold or not self.is_of_explained_class(stored))
        }

    def put(self, result: FrameResult) -> bool:
        """Store what fits the current plan; return False if nothing does."""
        plan, frame = self.plan, result.frame
        if plan is None or result.plan.mask_key != plan.mask_key:
            return False
        is_asked = self._asked is not None and result.plan is self._asked
        if not is_asked or self.segmentation(frame) is None:  # the figures of the mask are those of the plan's class
            segmentation = StoredSegmentation(
                result.segmentation,
                result.masks,
                result.mask_threshold,
                result.finding,
                result.plan.class_index,
                len(result.class_names),
                result.disagreement,
            )
            self._store.put(plan.mask_key, frame, segmentation, segmentation.size)
        is_region_current = result.region_digest == region_digest(result.plan.painted_region(frame))
        if result.heatmaps and is_region_current and (is_asked or result.plan.heat_key == plan.heat_key):
            earlier = self.stored_heatmaps(frame, result.plan)
            heatmaps, figures = dict(result.heatmaps), dict(result.figures)
            if earlier is not None and earlier.region_digest == result.region_digest:
                heatmaps, figures = {**earlier.heatmaps, **heatmaps}, {**earlier.figures, **figures}
            region = None if result.region is None else SparseMask.from_labels(result.region.astype(np.uint8))
            stored = StoredHeatmaps(heatmaps, figures, result.region_digest, region, result.is_found, result.against)
            self._store.put(result.plan.heat_key, frame, stored, stored.size)
        return True

    def put_masks(self, update: FrameMasks) -> bool:
        """Store the masks of a frame at another threshold; return False if they fit nothing that is stored."""
        stored = self.segmentation(update.frame)
        if self.plan is None or stored is None or update.plan.mask_key != self.plan.mask_key:
            return False
        is_same_class = update.plan.class_index == stored.class_index
        stored = replace(
            stored,
            disagreement=stored.disagreement if is_same_class else None,
            masks=update.masks,
            mask_threshold=update.mask_threshold,
            finding=update.finding,
            class_index=update.plan.class_index,
        )
        self._store.put(self.plan.mask_key, update.frame, stored, stored.size)
        return True

    def drop(self, frame: int) -> None:
        """Drop the results of a frame."""
        if self.plan is not None:
            self._store.drop(self.plan.mask_key, frame)
            self._store.drop(self.plan.heat_key, frame)

    def drop_outdated_heatmaps(self, frame: int, plan: Plan | None = None) -> bool:
        """Drop a frame's heatmaps if the user has painted in their region since; return whether there were any.

        Args:
            frame: its number.
            plan: whose heatmaps; by default those of the plan by which frames are computed.
        """
        plan = plan or self.plan
        stored = None if plan is None else self.stored_heatmaps(frame, plan)
        if plan is None or stored is None or stored.region_digest == region_digest(plan.painted_region(frame)):
            return False
        self._store.drop(plan.heat_key, frame)
        return True

    def clear(self) -> None:
        """Drop all results of this image."""
        if self.plan is None:
            return
        for key in self._store:
            if key == self.plan.mask_key or (isinstance(key, tuple) and key[0] == self.plan.mask_key):
                self._store.drop_all(key)

    def capacity(self, reserved_bytes: int) -> int | None:
        """Return for how many frames the budget has room; None as long as no frame's size is known.

        Args:
            reserved_bytes: of the budget, for what belongs to the image but is not in the store.
        """
        frames = self.frames()
        if not frames:
            return None
        results = [self.segmentation(frames[-1]), self.stored_heatmaps(frames[-1], self.plan)]
        if self.beside is not None and (others := self._store.frames(self.beside.mask_key)):
            results += [self._store.get(key, others[-1]) for key in (self.beside.mask_key, self.beside.heat_key)]
        frame_bytes = sum(result.size for result in results if result is not None)
        return int((self._store.budget - reserved_bytes) // max(frame_bytes, 1))

    def shrink(self, distances: NDArray[np.float64], reserved_bytes: int) -> list[int]:
        """Keep to the budget; return the frames that were dropped, the farthest first."""
        if self.plan is None:
            return []
        keys = {self.plan.mask_key, self.plan.heat_key, (self.shown or self.plan).heat_key}
        if self.beside is not None:
            keys |= {self.beside.mask_key, self.beside.heat_key}
        return self._store.shrink(tuple(keys), distances, reserved_bytes)
