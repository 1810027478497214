"""Evidence of explanations with the measures that the options name, for ``explain``, ``batch`` and ``check``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.options import ExplainOptions
from napari_segcam.errors import SegcamError
from napari_segcam.evidence.doubt.measuring import Doubt, doubt
from napari_segcam.evidence.estimating import estimate_evidence
from napari_segcam.evidence.measuring import MEASURES, Evidence, Measure, Progress, measure_evidence
from napari_segcam.evidence.running.by_replay import REPLAYED, no_replay_reason
from napari_segcam.evidence.running.references import REFERENCES, ReferenceName
from napari_segcam.evidence.stage_evidence import first_stage
from napari_segcam.explanation.ensemble.ensemble_replay import replay_of
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.explanation.slow_methods.cost import Cost
from napari_segcam.imaging.burned_in.finding import find_graphics
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.scan.region import known_scan, known_tissue

EVIDENCE_NAMES: tuple[str, ...] = (*MEASURES, "doubt")
_OF_FRAME = ("influence", "overlay_effect", "doubt")
"""Measures that do not depend on the method: they are taken once for each frame and class."""


def measure_names(text: str) -> tuple[str, ...]:
    """Return the measures that a text names: ``all``, or names separated by commas.

    Raises:
        SegcamError: if there is no measure of such a name.
    """
    names = [name.strip().lower().replace("-", "_") for name in text.split(",") if name.strip()]
    if not names or "all" in names:
        return EVIDENCE_NAMES
    if unknown := [name for name in names if name not in EVIDENCE_NAMES]:
        raise SegcamError(
            f"There is no measure of evidence {unknown[0]!r}. Choose from: {', '.join(EVIDENCE_NAMES)}; or all."
        )
    return tuple(measure for measure in EVIDENCE_NAMES if measure in names)


def reference_names(text: str) -> tuple[ReferenceName, ...]:
    """Return the references that a text names, separated by commas.

    Raises:
        SegcamError: if there is no reference of such a name.
    """
    names = [name.strip().lower().replace("-", " ") for name in text.split(",") if name.strip()] or ["mean"]
    if unknown := [name for name in names if name not in REFERENCES]:
        choices = ", ".join(name.replace(" ", "-") for name in REFERENCES)
        raise SegcamError(f"There is no reference {unknown[0]!r}. Choose from: {choices}.")
    return tuple(reference for reference in REFERENCES if reference in names)


def other_frame_of(cine: Cine, number: int, references: Sequence[str]) -> NDArray[np.generic] | None:
    """Return the frame half a cine away from another, whose maps replace a stage's; None if it is not asked for.

    Raises:
        SegcamError: if it is asked for and the cine is a still.
    """
    if "other frame" not in references:
        return None
    if len(cine) < 2:
        raise SegcamError("--evidence-references other-frame needs a cine, but this is a still. Choose mean,blur.")
    return cine[(number + len(cine) // 2) % len(cine)]


@dataclass(frozen=True)
class FrameEvidence:
    """What was measured of one explanation.

    Attributes:
        evidence: of the heatmaps.
        doubt: about the mask; None if it was not measured.
    """

    evidence: Evidence
    doubt: Doubt | None = None


class EvidenceMeter:
    """Measures the evidence of the explanations of one cine. What several methods share is measured once.

    Args:
        cine: that is explained.
        explainers: that explain it, one for each method.
        options: with the names of the measures.
        progress: as for ``measure_evidence``.
        cancelled: as for ``measure_evidence``.
        overall: as for ``measure_evidence``.

    Raises:
        SegcamError: if the options name a reference that the cine does not have.
    """

    def __init__(
        self,
        cine: Cine,
        explainers: Sequence[Explainer],
        options: ExplainOptions,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        overall: Callable[[int, int], None] | None = None,
    ) -> None:
        self._references = [name for name in REFERENCES if name in options.evidence_references]
        if options.evidence:
            other_frame_of(cine, 0, self._references)  # before anything takes long
        self._cine, self._options, self._overall = cine, options, overall
        self._explainers = {explainer.method.name: explainer for explainer in explainers}
        self._progress, self._cancelled = progress, cancelled
        self._number: int | None = None
        self._known: dict[int | None, FrameEvidence] = {}  # of the present frame, by class
        self._replays: dict[int | None, FrameReplay] = {}

    def of(self, number: int, explanation: Explanation) -> FrameEvidence | None:
        """Return the evidence of an explanation of a frame; None if the options ask for none.

        Raises:
            Cancelled: if it was cancelled.
        """
        if not self._options.evidence:
            return None
        self._begin(number)
        class_index = explanation.target.class_index
        known = self._known.get(class_index)
        if known is not None and not set(explanation.heatmaps) <= set(known.evidence.stages):
            known = None  # of a method with a stage of its own
        measured = self._measure(number, explanation, known)
        if known is None:
            self._known[class_index] = measured
        return measured

    def estimate(self, number: int, explanation: Explanation) -> Cost:
        """Return what the evidence of an explanation will cost; what is prepared for that is kept.

        Raises:
            Cancelled: if it was cancelled.
        """
        self._begin(number)
        options, cine, frame = self._options, self._cine, self._cine[number]
        explainer = self._explainers[explanation.method]
        measures: list[Measure] = [measure for measure in MEASURES if measure in options.evidence]
        return estimate_evidence(
            explanation,
            explainer,
            frame,
            cine.value_range,
            measures=measures,
            scan=known_scan(cine),
            graphics=find_graphics(frame, cine).mask if "overlay_effect" in measures else None,
            draws=options.evidence_draws,
            references=self._references,
            replay=self._replay(number, explanation, explainer),
            cancelled=self._cancelled,
        )

    def _begin(self, number: int) -> None:
        """Forget what was measured of another frame."""
        if number != self._number:
            self._number, self._known, self._replays = number, {}, {}

    def _measure(self, number: int, explanation: Explanation, known: FrameEvidence | None) -> FrameEvidence:
        options, cine, frame = self._options, self._cine, self._cine[number]
        explainer = self._explainers[explanation.method]
        wanted = [name for name in options.evidence if known is None or name not in _OF_FRAME]
        measures: list[Measure] = [measure for measure in MEASURES if measure in wanted]
        evidence = measure_evidence(
            explanation,
            explainer,
            frame,
            cine.value_range,
            measures=measures,
            scan=known_scan(cine),
            tissue=known_tissue(cine),
            graphics=find_graphics(frame, cine).mask if "overlay_effect" in measures else None,
            draws=options.evidence_draws,
            references=self._references,
            other_frame=other_frame_of(cine, number, self._references),
            seed=options.evidence_seed,
            replay=self._replay(number, explanation, explainer) if REPLAYED & set(measures) else None,
            progress=self._progress,
            overall=self._overall,
            cancelled=self._cancelled,
        )
        if known is not None:
            return FrameEvidence(_with_known(evidence, known.evidence), known.doubt)
        if "doubt" not in wanted:
            return FrameEvidence(evidence)
        return FrameEvidence(evidence, doubt(explanation, explainer, frame, cine.value_range))

    def _replay(self, number: int, explanation: Explanation, explainer: Explainer) -> FrameReplay | None:
        """Return the network, ready to run with other maps: the same for all methods; None if it cannot."""
        if no_replay_reason(explainer, explanation):
            return None
        index = explanation.target.class_index
        if index not in self._replays:
            frame, levels = self._cine[number], self._cine.value_range
            self._replays[index] = replay_of(explainer.network, explanation, frame, levels, self._cancelled)
        return self._replays[index]


def _with_known(evidence: Evidence, known: Evidence) -> Evidence:
    """Return evidence of a method with what another method has shown of the same frame and class."""
    stages = {}
    for name, stage in evidence.stages.items():
        first = known.stages[name]
        reasons = {"influence": first.undefined["influence"]} if "influence" in first.undefined else {}
        stages[name] = replace(stage, influence=first.influence, undefined={**reasons, **stage.undefined})
    return replace(evidence, stages=stages, shown_first=first_stage(stages), overlay_effect=known.overlay_effect)
