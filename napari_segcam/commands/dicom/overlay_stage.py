"""Which stage the overlay cine shows: one that takes part in the mask, which is measured where nobody has said it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_segcam.batch.evidence import EvidenceMeter
from napari_segcam.dicom_objects.exporting.options import FRAMES_WAITED

if TYPE_CHECKING:
    from napari_segcam.batch.pipeline import ExplainPipeline
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.imaging.cine import Cine


class OverlayStage:
    """Finds the stage to look at first by its influence, in the first frame with something to explain.

    Args:
        pipeline: makes the explanations.
        cine: that is explained.
        cancelled: returns whether to stop.

    Attributes:
        words: what was found for each method and class, in sentences.
    """

    def __init__(self, pipeline: ExplainPipeline, cine: Cine, cancelled: Callable[[], bool]) -> None:
        options = replace(pipeline.options, evidence=("influence",), evidence_references=("mean",))
        self._meter = EvidenceMeter(cine, pipeline.explainers, options, cancelled=cancelled)
        self._frames_left: dict[tuple[str, int | None], int] = {}  # of each method and class; 0 if it is known
        self.words: list[str] = []

    def of(self, number: int, explanation: Explanation) -> str | None:
        """Return the stage; None where it is known already, this frame does not tell, or the user stopped it.

        Args:
            number: of the frame.
            explanation: of the frame.
        """
        from napari_segcam.explanation.slow_methods.control import Cancelled
        from napari_segcam.reporting.sheets import class_name_of

        key = explanation.method, explanation.target.class_index
        left = self._frames_left.setdefault(key, FRAMES_WAITED)
        self._frames_left[key] = max(0, left - 1)
        if not left or len(explanation.heatmaps) < 2 or not explanation.region.any():
            return None
        try:
            measured = self._meter.of(number, explanation)
        except Cancelled:  # no object is written then
            return None
        first = None if measured is None else measured.evidence.shown_first
        if first is None or first.name is None:
            return None
        self._frames_left[key] = 0
        self.words.append(
            f"overlay.dcm ({explanation.method}, {class_name_of(explanation)}) shows {first.name}: {first.why}, as "
            f"measured in frame {number}. --dicom-stage chooses another."
        )
        return first.name
