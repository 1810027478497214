"""The computation of frames in the worker: it follows a plan and touches no widget and no layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.explainers import Explainers
from napari_segcam.viewer.frames.frame_results import FrameFailure, FrameResult, StoredDisagreement
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.region_digest import region_digest
from napari_segcam.viewer.frames.run_request import CORRECTED, RunRequest
from napari_segcam.viewer.frames.sparse_mask import SparseMask

if TYPE_CHECKING:  # torch comes with these: they are imported where the work is done
    from napari_segcam.evidence.finding import Finding
    from napari_segcam.explanation.explanation import Explanation, Segmentation
    from napari_segcam.explanation.targets.target import Target


class FrameComputer:
    """Computes frames by one plan, in the worker.

    Args:
        plan: by which frames are computed.
        explainers: shared with the other plans of the image; by default those of this plan alone.

    Attributes:
        hold: whether to keep the forward pass of the next frame for other questions about it.
        memory_text: what was done in the last frame as memory was short, in words; else empty.
    """

    def __init__(self, plan: Plan, explainers: Explainers | None = None) -> None:
        self.plan = plan
        self.hold = False
        self.memory_text = ""
        self.explainers = explainers or Explainers()

    @property
    def cancelled(self) -> Callable[[], bool]:
        """Called during frames that take long; returns whether to stop."""
        return self.explainers.cancelled

    @cancelled.setter
    def cancelled(self, cancelled: Callable[[], bool]) -> None:
        self.explainers.cancelled = cancelled

    @property
    def on_progress(self) -> Callable[[str, int, int], None]:
        """Called during such a frame with a stage, the runs of the network that are done, and their total."""
        return self.explainers.on_progress

    @on_progress.setter
    def on_progress(self, on_progress: Callable[[str, int, int], None]) -> None:
        self.explainers.on_progress = on_progress

    def compute(
        self, frame: int, stages: tuple[str, ...], mask_threshold: float
    ) -> Iterator[FrameResult | FrameFailure]:
        """Yield the result of a frame, or why there is none; nothing if it was cancelled meanwhile.

        Frames are not batched: a number must not depend on which frames happened to share a pass.

        Args:
            frame: its number.
            stages: names of the stages to explain.
            mask_threshold: of the mask that is shown.
        """
        from napari_segcam.evidence.attention import attention
        from napari_segcam.explanation.slow_methods.control import Cancelled

        painted_region = self.plan.painted_region(frame)
        try:
            explanation = self._explain(frame, stages, painted_region)
        except Cancelled:
            return
        except SegcamError as fault:
            yield FrameFailure(frame, str(fault))
            return
        self.memory_text = "; ".join(explanation.provenance["memory"])
        labels = explanation.mask if mask_threshold == explanation.threshold else None
        masks, finding = self._masks(explanation.segmentation, explanation.probabilities, mask_threshold, labels)
        member = self.plan.request.member
        shown = explanation if member is None else explanation.members[member]
        yield FrameResult(
            plan=self.plan,
            frame=frame,
            segmentation=explanation.segmentation,
            masks=masks,
            mask_threshold=mask_threshold,
            finding=finding,
            heatmaps=dict(shown.heatmaps),
            figures=attention(shown),
            class_names=explanation.class_names,
            region_digest=region_digest(painted_region),
            region=None if explanation.region.all() else explanation.region,
            is_found=_is_found(explanation),
            against=explanation.target.reference_classes,
            disagreement=_disagreement(explanation),
        )

    def explain(self, frame: int, stages: tuple[str, ...]) -> Explanation:
        """Explain a frame.

        Raises:
            Cancelled: if it was cancelled meanwhile.
            SegcamError: if the frame cannot be read, or does not fit the network.
        """
        return self._explain(frame, stages, self.plan.painted_region(frame))

    def _explain(self, frame: int, stages: tuple[str, ...], painted_region: NDArray[np.bool_] | None) -> Explanation:
        return self.explainers.explain(
            self.plan, frame, stages, target_of(self.plan.request, painted_region), hold=self.hold
        )

    def tiles(self) -> str:
        """Return the tiles in which a frame runs, in words; empty if it runs whole.

        Raises:
            SegcamError: if frames do not fit the network.
        """
        return self.explainers.tiles(self.plan)

    def estimate(self, frame: int, stages: tuple[str, ...]) -> str:
        """Return how long a frame will take, in words.

        Raises:
            SegcamError: if it cannot be computed at all.
        """
        from napari_segcam.explanation.tiles.cost import TiledCost

        cost = self.explainers.estimate(self.plan, frame, stages)
        if isinstance(cost, TiledCost):
            return cost.words
        return f"{cost.forwards} runs of the network, about {cost.seconds:.0f} s"

    def masks_at(self, segmentation: Segmentation, mask_threshold: float) -> tuple[tuple[SparseMask, ...], Finding]:
        """Return the masks of a frame at a threshold, and the figures of the explained class."""
        return self._masks(segmentation, segmentation.on_frame(), mask_threshold)

    def _masks(
        self,
        segmentation: Segmentation,
        probabilities: NDArray[np.float32],
        mask_threshold: float,
        labels: NDArray[np.uint8] | None = None,
    ) -> tuple[tuple[SparseMask, ...], Finding]:
        """As ``masks_at``, from probabilities at the frame's size, and from labels where the mask is known."""
        from napari_segcam.evidence.finding import Finding, finding
        from napari_segcam.explanation.targets.classes import class_mask, label_mask

        plan = self.plan
        if not segmentation.is_map:
            index = plan.request.class_index
            probability = probabilities.max() if index is None else probabilities[plan.class_index]
            mask = SparseMask.from_labels(segmentation.mask(mask_threshold))
            return (mask,), Finding(0, None, float(probability.item()))
        if segmentation.classes_overlap:
            class_masks = [
                class_mask(probabilities, index, mask_threshold, overlap=True) for index in range(len(probabilities))
            ]
            masks, explained_mask = [mask.view(np.uint8) for mask in class_masks], class_masks[plan.class_index]
        else:
            if labels is None:
                labels = label_mask(probabilities, mask_threshold, overlap=False)
            masks, explained_mask = [labels], labels == plan.label
        figures = finding(explained_mask, probabilities[plan.class_index], plan.source.spacing_mm)
        return tuple(map(SparseMask.from_labels, masks)), figures


def target_of(request: RunRequest, painted_region: NDArray[np.bool_] | None) -> Target:
    """Return the target of a frame, with the pixels that the user has painted as its region, if any."""
    from napari_segcam.explanation.targets.region import At, Painted
    from napari_segcam.explanation.targets.target import Target
    from napari_segcam.reporting.correction import CORRECTION_REGION

    if painted_region is not None:
        name = CORRECTION_REGION if request.region == CORRECTED else "drawn"
        if isinstance(request.region, At):
            name = f"component of the correction at row {request.region.row}, column {request.region.column}"
        return Target(request.class_index, Painted(painted_region, name), against=request.against)
    region: Any = "mask" if request.region == CORRECTED else request.region
    return Target(request.class_index, region, against=request.against)


def _disagreement(explanation: Explanation) -> StoredDisagreement | None:
    known = explanation.disagreement
    if known is None:
        return None
    steps = np.rint(known.deviation.clip(0, 0.5) * 510).astype(np.uint8)
    return StoredDisagreement(known.value, known.undefined, steps, explanation.threshold)


def _is_found(explanation: Explanation) -> bool | None:
    from napari_segcam.explanation.targets.region import At

    region = explanation.target.region
    return region.is_found(explanation.target_mask) if isinstance(region, At) else None
