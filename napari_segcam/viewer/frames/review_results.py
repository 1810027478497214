"""What is kept of the frames that were computed, as the plan at hand sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.frame_computer import digest
from napari_segcam.viewer.frames.frame_jobs import FrameCut
from napari_segcam.viewer.frames.frame_results import FrameResult
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.result_store import ResultStore
from napari_segcam.viewer.frames.sparse_mask import SparseMask

if TYPE_CHECKING:  # torch comes with these, and is imported in the worker first
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.evidence.finding import Finding
    from napari_segcam.explanation.explanation import Heatmap, Segmentation


@dataclass(frozen=True, eq=False)
class Segmented:
    """What is kept of a frame's segmentation, and the figures of one class in its masks."""

    segmentation: Segmentation
    masks: tuple[SparseMask, ...]
    cut: float
    finding: Finding
    class_index: int
    classes: int

    @property
    def size(self) -> int:
        """In bytes."""
        return self.segmentation.probabilities.nbytes + sum(mask.labels.nbytes for mask in self.masks)


@dataclass(frozen=True, eq=False)
class Explained:
    """What is kept of a frame's heatmaps, by stage name, and of the region that they explain (None for the frame)."""

    heatmaps: Mapping[str, Heatmap]
    figures: Mapping[str, Attention]
    painted: bytes | None
    region: SparseMask | None

    @property
    def size(self) -> int:
        """In bytes."""
        region = 0 if self.region is None else self.region.labels.nbytes
        return region + sum(heatmap.values.nbytes for heatmap in self.heatmaps.values())


class ReviewResults:
    """The results of one image in a store that other images may share.

    Attributes:
        plan: whose results are meant; None for none.
    """

    def __init__(self, store: ResultStore) -> None:
        self.plan: Plan | None = None
        self._store = store

    def segmented(self, frame: int) -> Segmented | None:
        """What is kept of a frame's segmentation, or None."""
        return None if self.plan is None else self._store.get(self.plan.mask_key, frame)

    def explained(self, frame: int) -> Explained | None:
        """What is kept of a frame's heatmaps, or None."""
        return None if self.plan is None else self._store.get(self.plan.heat_key, frame)

    def heatmaps(self, frame: int) -> dict[str, Heatmap]:
        """Those of a frame that the plan asks for and that are there, by stage name."""
        explained = self.explained(frame)
        if explained is None or self.plan is None:
            return {}
        return {stage: explained.heatmaps[stage] for stage in self.plan.stages if stage in explained.heatmaps}

    def figures(self, frame: int) -> dict[str, Attention]:
        """Their attention figures, by stage name."""
        explained = self.explained(frame)
        return {} if explained is None else {stage: explained.figures[stage] for stage in self.heatmaps(frame)}

    def heatmap(self, plan: Plan, stage: str, frame: int) -> Heatmap | None:
        """A heatmap of a plan, the one at hand or another."""
        explained = self._store.get(plan.heat_key, frame)
        return None if explained is None else explained.heatmaps.get(stage)

    def missing(self, plan: Plan, frame: int) -> tuple[str, ...]:
        """The stages of which a frame has no heatmap yet."""
        explained = self._store.get(plan.heat_key, frame)
        return tuple(stage for stage in plan.stages if explained is None or stage not in explained.heatmaps)

    def is_complete(self, frame: int) -> bool:
        """Whether a frame has all that the plan asks for."""
        return self.plan is not None and self.segmented(frame) is not None and not self.missing(self.plan, frame)

    def frames(self) -> list[int]:
        """The frames that have a mask."""
        return [] if self.plan is None else self._store.frames(self.plan.mask_key)

    def keep(self, result: FrameResult) -> bool:
        """Keep what goes with the plan at hand; False where that is nothing."""
        plan, frame = self.plan, result.frame
        if plan is None or result.plan.mask_key != plan.mask_key:
            return False
        segmented = Segmented(
            result.segmentation,
            result.masks,
            result.cut,
            result.finding,
            result.plan.class_index,
            len(result.class_names),
        )
        self._store.put(plan.mask_key, frame, segmented, segmented.size)
        if result.heatmaps and result.plan.heat_key == plan.heat_key and result.painted == digest(plan.painted(frame)):
            before = self.explained(frame)
            heatmaps, figures = dict(result.heatmaps), dict(result.figures)
            if before is not None and before.painted == result.painted:
                heatmaps, figures = {**before.heatmaps, **heatmaps}, {**before.figures, **figures}
            region = None if result.region is None else SparseMask.of(result.region.astype(np.uint8))
            explained = Explained(heatmaps, figures, result.painted, region)
            self._store.put(plan.heat_key, frame, explained, explained.size)
        return True

    def keep_cut(self, given: FrameCut) -> bool:
        """Keep a mask that was cut again; False where there is no use for it."""
        segmented = self.segmented(given.frame)
        if self.plan is None or segmented is None or given.plan.mask_key != self.plan.mask_key:
            return False
        segmented = replace(
            segmented, masks=given.masks, cut=given.cut, finding=given.finding, class_index=given.plan.class_index
        )
        self._store.put(self.plan.mask_key, given.frame, segmented, segmented.size)
        return True

    def drop(self, frame: int) -> None:
        """Forget a frame."""
        if self.plan is not None:
            self._store.drop(self.plan.mask_key, frame)
            self._store.drop(self.plan.heat_key, frame)

    def drop_if_painted_over(self, frame: int) -> bool:
        """Forget heatmaps whose region the user has painted in since; True if there were any."""
        explained = self.explained(frame)
        if self.plan is None or explained is None or explained.painted == digest(self.plan.painted(frame)):
            return False
        self._store.drop(self.plan.heat_key, frame)
        return True

    def forget(self) -> None:
        """Forget all results of this image."""
        if self.plan is None:
            return
        for key in self._store:
            if key == self.plan.mask_key or (isinstance(key, tuple) and key[0] == self.plan.mask_key):
                self._store.forget(key)

    def room(self, besides: int) -> int | None:
        """For how many frames the budget has room; None as long as there is nothing to tell it from.

        Args:
            besides: bytes that are taken by what belongs to the image, but is not in the store.
        """
        sizes = [
            sum(kept.size for kept in (self.segmented(frame), self.explained(frame)) if kept is not None)
            for frame in self.frames()[-1:]
        ]
        return int((self._store.budget - besides) // max(sizes[0], 1)) if sizes else None

    def shrink(self, distances: NDArray[np.float64], besides: int) -> list[int]:
        """Keep to the budget; the frames that were lost, the farthest first."""
        if self.plan is None:
            return []
        return self._store.shrink((self.plan.mask_key, self.plan.heat_key), distances, besides)
