"""Measuring one frame: its own masks and heatmaps, and those of the perturbed frame beside them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.pipeline import ExplainPipeline
from napari_segcam.errors import SegcamError
from napari_segcam.evidence.measuring import measure_evidence
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.imaging.cine import Frame
from napari_segcam.mask_metrics.detection import detection
from napari_segcam.mask_metrics.overlap import overlap
from napari_segcam.perturbing.catalog import PERTURBATIONS
from napari_segcam.perturbing.perturbation import Perturbation
from napari_segcam.perturbing.shares import FrameContext
from napari_segcam.robustness.columns import NO_PERTURBATION, Row
from napari_segcam.robustness.heat_stability import heat_stability

TRUTH, OWN_MASK = "truth", "unperturbed mask"
BOTH_EMPTY = "both masks are empty"
_NO_STAGE = "no stage is known to take part in the unperturbed mask"

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FramePlace:
    """What the rows of a frame have in common.

    Attributes:
        case: that the image belongs to.
        image: its name.
        number: of the frame.
        context: what perturbations have to know of it; its seed is that of the run.
    """

    case: str
    image: str
    number: int
    context: FrameContext


class FrameMeter:
    """Measures one frame, unperturbed and perturbed.

    Args:
        pipeline: makes the explanations: one method, and the classes that are measured.
        place: of the frame.
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        truths: of each class of the pipeline, ``(Y, X)`` or None.
        stage: of the heatmap; None for the one that is shown first.
        cancelled: asked between two runs of the network whether to stop.
    """

    def __init__(
        self,
        pipeline: ExplainPipeline,
        place: FramePlace,
        frame: Frame,
        truths: Sequence[Mask | None],
        stage: str | None,
        cancelled: Callable[[], bool],
    ) -> None:
        self._place, self._frame, self._truths = place, frame, truths
        self._targets = [pipeline.target(index) for index in pipeline.classes]
        self._cancelled = cancelled
        (explainer,) = pipeline.explainers
        self._own = self._explained(explainer, frame)
        self._stages = [self._stage_of(explainer, explanation, stage) for explanation in self._own]
        names = sorted({name for name, _ in self._stages if name})
        self._explainer = Explainer(
            explainer.network, explainer.method.name, names, explainer.threshold, explainer.control
        )

    def unperturbed(self) -> list[Row]:
        """Return the row of each class of the frame as it is."""
        return self._rows(NO_PERTURBATION, 0.0, "", self._own, self._truths, None)

    def perturbed(self, name: str, strength: float) -> list[Row]:
        """Return the row of each class of a perturbed frame.

        Raises:
            Cancelled: if the explainer's control cancels it.
        """
        perturbation, context = PERTURBATIONS[name], self._context(name)
        unit = perturbation.unit_in(context)
        try:
            frame = perturbation.of_frame(self._frame, strength, context)
            results = self._explained(self._explainer, frame)
        except SegcamError as error:  # for example cropped to fewer pixels than the network takes
            return [self._failed(name, strength, unit, number, str(error)) for number in range(len(self._own))]
        truths = [None if one is None else perturbation.of_mask(one, strength, context) for one in self._truths]
        return self._rows(name, strength, unit, results, truths, perturbation)

    def _context(self, name: str) -> FrameContext:
        """Return the context with a seed of its own for each image, frame and perturbation."""
        context, place = self._place.context, self._place
        text = f"{context.seed} {place.image} {place.number} {name}"
        seed = zlib.crc32(text.encode("utf-8", "surrogateescape"))
        return FrameContext(context.value_range, context.spacing_mm, context.pixel_aspect, seed)

    def _explained(self, explainer: Explainer, frame: Frame) -> list[Explanation]:
        context = self._place.context
        return explainer.compare(frame, self._targets, context.value_range, None, context.pixel_aspect)

    def _stage_of(self, explainer: Explainer, explanation: Explanation, stage: str | None) -> tuple[str, str]:
        """Return the stage whose heatmap is compared, and why there is none."""
        if explainer.network.no_hooks_reason and not explainer.stages:
            return "", explainer.network.no_hooks_reason
        if len(explainer.stages) == 1 or stage is not None:
            return explainer.stages[0].name, ""
        if not explanation.target_mask.any():
            return "", "the unperturbed mask is empty"
        evidence = measure_evidence(
            explanation,
            explainer,
            self._frame,
            self._place.context.value_range,
            measures=["influence"],
            cancelled=self._cancelled,
        )
        name = evidence.shown_first.name
        return (name, "") if name else ("", _NO_STAGE)

    def _rows(
        self,
        name: str,
        strength: float,
        unit: str,
        results: Sequence[Explanation],
        truths: Sequence[Mask | None],
        perturbation: Perturbation | None,
    ) -> list[Row]:
        rows = []
        for number, (result, truth) in enumerate(zip(results, truths, strict=True)):
            against = OWN_MASK if truth is None else TRUTH
            reference = truth
            if reference is None:
                reference = self._own[number].target_mask
                if perturbation is not None:
                    reference = perturbation.of_mask(reference, strength, self._context(name))
            mask = result.target_mask
            dice = overlap(mask, reference).dice
            findings = detection(mask, reference)
            rows.append(
                {
                    **self._beginning(name, strength, unit, number),
                    "against": against,
                    "dice": dice,
                    "dice_undefined": BOTH_EMPTY if dice is None else "",
                    "pixels": int(mask.sum()),
                    "findings": findings.true,
                    "findings_found": findings.found,
                    "detected": findings.found > 0 if findings.true else None,
                    **self._heat(number, result, strength, perturbation),
                }
            )
        return rows

    def _beginning(self, name: str, strength: float, unit: str, number: int) -> Row:
        own = self._own[number]
        return {
            "case": self._place.case,
            "image": self._place.image,
            "frame": self._place.number,
            "class": own.class_names[own.target.class_index or 0],
            "perturbation": name,
            "strength": float(strength),
            "unit": unit,
        }

    def _heat(self, number: int, result: Explanation, strength: float, perturbation: Perturbation | None) -> Row:
        stage, why = self._stages[number]
        values: Row = {"stage": stage, "heatmap_correlation": None, "heatmap_overlap": None, "heatmap_undefined": why}
        if not stage:
            return values
        own, other = self._own[number].heatmaps[stage], result.heatmaps[stage]
        for heatmap, which in ((own, "unperturbed"), (other, "perturbed")):
            if heatmap.reason is not None:
                return {**values, "heatmap_undefined": f"the {which} heatmap is empty: {heatmap.reason.value}"}
        first, second = own.raw_on_frame(), other.raw_on_frame()
        seen = np.ones(first.shape, np.bool_)
        if perturbation is not None:
            back, seen = perturbation.back(second, first.shape, strength, self._context(perturbation.name))
            stability = heat_stability(first, back, seen)
        else:
            stability = heat_stability(first, second, seen)
        return {
            **values,
            "heatmap_correlation": stability.correlation,
            "heatmap_overlap": stability.overlap,
            "heatmap_undefined": stability.undefined,
        }

    def _failed(self, name: str, strength: float, unit: str, number: int, why: str) -> Row:
        """Return the row of a perturbed frame that the network does not take."""
        stage, _ = self._stages[number]
        return {
            **self._beginning(name, strength, unit, number),
            "against": OWN_MASK if self._truths[number] is None else TRUTH,
            "dice": None,
            "dice_undefined": why,
            "pixels": None,
            "findings": None,
            "findings_found": None,
            "detected": None,
            "stage": stage,
            "heatmap_correlation": None,
            "heatmap_overlap": None,
            "heatmap_undefined": why,
        }
