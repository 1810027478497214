"""The jobs that measure doubt in the worker: of one frame by runs of the network, or of several by their masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.plan import Plan

if TYPE_CHECKING:  # torch comes with these: they are imported where the work is done
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.explanation import Segmentation


@dataclass(frozen=True)
class FrameDoubt:
    """Doubt about the mask of a frame: a value, or the reason why there is none."""

    frame: int
    value: float | None
    reason: str | None


class NetworkDoubt:
    """Measures frames of one plan by runs of the network, in the worker.

    Args:
        plan: of the frames.
        mask_threshold: of the masks shown.
        measure: a name in ``DOUBT_MEASURES``.
    """

    def __init__(self, plan: Plan, mask_threshold: float, measure: str) -> None:
        self._plan, self._mask_threshold, self._measure = plan, mask_threshold, measure
        self._explainer: Explainer | None = None

    def measure(self, frame: int) -> Iterator[FrameDoubt | None]:
        """Yield None after each run of the network, since the user may want another frame meanwhile, and at last the
        doubt."""
        from napari_segcam.evidence.doubt.measuring import doubt_in_steps
        from napari_segcam.explanation.explainer import Explainer
        from napari_segcam.explanation.targets.target import Target

        plan, source = self._plan, self._plan.source
        cine = source.cine
        try:
            if self._explainer is None:
                self._explainer = Explainer(plan.network, stages=(), threshold=plan.threshold)
            target = Target(plan.class_index)
            pixels = cine[frame]
            explanation = self._explainer(pixels, target, cine.value_range, source.crop, cine.pixel_aspect)
            yield None
            explanation = replace(explanation, threshold=self._mask_threshold)
            steps = doubt_in_steps(explanation, self._explainer, pixels, cine.value_range, self._measure)
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    yield FrameDoubt(frame, end.value.value, end.value.reason)
                    return
                yield None
        except SegcamError as fault:
            yield FrameDoubt(frame, None, str(fault))


def masks_doubt(
    segmentations: Sequence[tuple[int, Segmentation]], class_index: int, mask_threshold: float, measure: str
) -> Iterator[FrameDoubt]:
    """Yield the doubt of frames by a measure that needs their probabilities alone."""
    from napari_segcam.evidence.doubt.class_map import ClassMap
    from napari_segcam.evidence.doubt.measuring import doubt_of_probabilities

    for frame, segmentation in segmentations:
        class_map = ClassMap.of(segmentation, class_index, mask_threshold)
        if class_map is None:
            yield FrameDoubt(frame, None, "the network classifies the whole frame: it gives no mask")
        else:
            yield FrameDoubt(frame, doubt_of_probabilities(class_map, measure), None)
