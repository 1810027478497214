"""What the worker does for a review: it is told everything in a plan, and touches no widget and no layer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.frame_results import FrameFailure, FrameResult
from napari_segcam.viewer.frames.plan import CORRECTED, Plan
from napari_segcam.viewer.frames.sparse_mask import SparseMask

if TYPE_CHECKING:  # torch comes with these: they are imported where the work is done
    from napari_segcam.evidence.finding import Finding
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.explanation import Explanation, Segmentation
    from napari_segcam.explanation.targets.target import Target


class FrameComputer:
    """Computes frames by one plan, in the worker.

    Attributes:
        cancelled: asked within frames that take long.
        progress: told of such a frame's stages how many runs of the network are done, and of how many.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.cancelled: Callable[[], bool] = lambda: False
        self.progress: Callable[[str, int, int], None] = lambda _stage, _done, _total: None
        self._explainers: dict[tuple[str, ...], Explainer] = {}

    def compute(self, frame: int, stages: tuple[str, ...], cut: float) -> Iterator[FrameResult | FrameFailure]:
        """The result of a frame, or why there is none; nothing if it was cancelled meanwhile.

        Frames are not batched: a number must not depend on which frames happened to share a pass.

        Args:
            frame: its number.
            stages: of which heatmaps are wanted.
            cut: the threshold of the mask.
        """
        from napari_segcam.evidence.attention import attention
        from napari_segcam.explanation.slow_methods.control import Cancelled

        region = self.plan.painted(frame)
        try:
            explanation = self._explained(frame, stages, region)
        except Cancelled:
            return
        except SegcamError as fault:
            yield FrameFailure(frame, str(fault))
            return
        labels = explanation.mask if cut == explanation.threshold else None
        masks, finding = self._cut(explanation.segmentation, explanation.probabilities, cut, labels)
        yield FrameResult(
            plan=self.plan,
            frame=frame,
            segmentation=explanation.segmentation,
            masks=masks,
            cut=cut,
            finding=finding,
            heatmaps=dict(explanation.heatmaps),
            figures=attention(explanation),
            class_names=explanation.class_names,
            painted=digest(region),
            region=None if explanation.region.all() else explanation.region,
        )

    def explain(self, frame: int, stages: tuple[str, ...]) -> Explanation:
        """All that the network gives for a frame.

        Raises:
            Cancelled: if that was wished for meanwhile.
            SegcamError: if the frame cannot be read, or does not go with the network.
        """
        return self._explained(frame, stages, self.plan.painted(frame))

    def _explained(self, frame: int, stages: tuple[str, ...], region: NDArray[np.bool_] | None) -> Explanation:
        source = self.plan.source
        explainer = self._explainer(stages)
        cine = source.cine
        return explainer(cine[frame], self._target(region), cine.value_range, source.crop, cine.pixel_aspect)

    def estimate(self, frame: int, stages: tuple[str, ...]) -> str:
        """What a frame will take, in words.

        Raises:
            SegcamError: if it cannot be computed at all.
        """
        source, cine = self.plan.source, self.plan.source.cine
        cost = self._explainer(stages).estimate(cine[frame], cine.value_range, source.crop, cine.pixel_aspect)
        return f"{cost.forwards} runs of the network, about {cost.seconds:.0f} s"

    def recut(self, segmentation: Segmentation, cut: float) -> tuple[tuple[SparseMask, ...], Finding]:
        """The masks of a frame at a threshold, and the figures of the explained class."""
        return self._cut(segmentation, segmentation.on_frame(), cut)

    def _cut(
        self,
        segmentation: Segmentation,
        probabilities: NDArray[np.float32],
        cut: float,
        labels: NDArray[np.uint8] | None = None,
    ) -> tuple[tuple[SparseMask, ...], Finding]:
        """As ``recut``, of probabilities that lie on the frame already, and of labels where they are cut already."""
        from napari_segcam.evidence.finding import Finding, finding
        from napari_segcam.explanation.targets.classes import class_mask, label_mask

        plan = self.plan
        if not segmentation.is_map:
            index = plan.request.class_index
            probability = probabilities.max() if index is None else probabilities[plan.class_index]
            return (SparseMask.of(segmentation.mask(cut)),), Finding(0, None, float(probability.item()))
        if segmentation.classes_overlap:
            each = [class_mask(probabilities, index, cut, overlap=True) for index in range(len(probabilities))]
            masks, found = [of_class.view(np.uint8) for of_class in each], each[plan.class_index]
        else:
            if labels is None:
                labels = label_mask(probabilities, cut, overlap=False)
            masks, found = [labels], labels == plan.label
        figures = finding(found, probabilities[plan.class_index], plan.source.spacing_mm)
        return tuple(map(SparseMask.of, masks)), figures

    def _explainer(self, stages: tuple[str, ...]) -> Explainer:
        from napari_segcam.explanation.explainer import Explainer
        from napari_segcam.explanation.slow_methods.control import ProgressControl

        if stages not in self._explainers:
            plan, request = self.plan, self.plan.request
            # By way of this object, since both change from job to job.
            control = ProgressControl(
                request.preview,
                progress=lambda stage, done, total: self.progress(stage, done, total),
                cancelled=lambda: self.cancelled(),
            )
            self._explainers[stages] = Explainer(plan.network, request.method, stages, plan.threshold, control)
        return self._explainers[stages]

    def _target(self, region: NDArray[np.bool_] | None) -> Target:
        from napari_segcam.explanation.targets.region import Painted
        from napari_segcam.explanation.targets.target import Target
        from napari_segcam.reporting.correction import CORRECTION_REGION

        request = self.plan.request
        if region is not None:
            name = CORRECTION_REGION if request.region == CORRECTED else "drawn"
            return Target(request.class_index, Painted(region, name))
        return Target(request.class_index, "mask" if request.region == CORRECTED else request.region)


def digest(painted: NDArray[np.bool_] | None) -> bytes | None:
    """Tells what is painted from what was painted."""
    return None if painted is None else hashlib.blake2b(np.packbits(painted).tobytes(), digest_size=16).digest()
