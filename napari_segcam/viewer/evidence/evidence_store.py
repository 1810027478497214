"""What has been measured: it belongs to the heatmaps, and goes with them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari_segcam.viewer.evidence.measured_frame import MeasuredFrame
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.region_digest import region_digest
from napari_segcam.viewer.review.review import Review

if TYPE_CHECKING:  # torch comes with these, and is imported in the worker first
    from napari_segcam.evidence.influence import Influence
    from napari_segcam.evidence.stage_evidence import StageEvidence
    from napari_segcam.explanation.explanation import Heatmap


@dataclass(frozen=True)
class Influences:
    """The influence of stages, measured in one frame, for any method.

    Attributes:
        frame: its number.
        region_digest: of the region painted in it; None where nothing was painted.
        stages: evidence with the influence, by stage name in the network's order; empty where it failed.
        failure: why it could not be measured, in words; empty where it was.
    """

    frame: int
    region_digest: bytes | None
    stages: Mapping[str, StageEvidence]
    failure: str = ""


def influence_key(plan: Plan) -> Hashable:
    """Return what the influence depends on besides the frame and its painted region."""
    request = plan.request
    return (plan.mask_key, request.class_index, request.against, request.region, plan.threshold)


class EvidenceStore:
    """Evidence by heatmap, and the influences of each review. Used from the UI thread.

    A heatmap is of one frame, class, method, stage, region and threshold, so what is kept with it is never of another.
    """

    def __init__(self) -> None:
        self._of_heatmaps: WeakKeyDictionary[Heatmap, tuple[StageEvidence, frozenset[str]]] = WeakKeyDictionary()
        self._influences: WeakKeyDictionary[Review, dict[Hashable, Influences]] = WeakKeyDictionary()

    def put(self, heatmap: Heatmap, evidence: StageEvidence, measures: Collection[str]) -> None:
        """Add measures of a heatmap to those that are known."""
        earlier, taken = self._of_heatmaps.get(heatmap, (evidence, frozenset()))
        values = {field.name: getattr(evidence, field.name) for field in fields(evidence)}
        values["undefined"] = {**earlier.undefined, **evidence.undefined}
        merged = replace(earlier, **{name: value for name, value in values.items() if value is not None})
        self._of_heatmaps[heatmap] = (merged, taken | set(measures))

    def put_failure_of(self, heatmap: Heatmap, failure: str, measures: Collection[str]) -> None:
        """Keep the reason why measures of a heatmap could not be taken."""
        from napari_segcam.evidence.stage_evidence import StageEvidence

        self.put(heatmap, StageEvidence(heatmap.stage, undefined=dict.fromkeys(measures, failure)), measures)

    def put_influences(self, review: Review, measured: MeasuredFrame, stages: Mapping[str, StageEvidence]) -> None:
        """Keep the influences measured in a frame."""
        influences = Influences(measured.frame, region_digest(measured.painted_region), stages)
        self._influences.setdefault(review, {})[influence_key(measured.plan)] = influences

    def put_failure(self, review: Review, measured: MeasuredFrame, failure: str) -> None:
        """Keep the reason why the influences cannot be measured."""
        influences = Influences(measured.frame, region_digest(measured.painted_region), {}, failure)
        self._influences.setdefault(review, {})[influence_key(measured.plan)] = influences

    def influences(self, review: Review) -> Influences | None:
        """Return the influences for the current plan of a review, whichever frame they are of; None if unknown."""
        plan = review.results.shown
        return None if plan is None else self._influences.get(review, {}).get(influence_key(plan))

    def missing(self, heatmap: Heatmap, measures: Collection[str]) -> set[str]:
        """Return those of the measures that were not taken of a heatmap."""
        _, taken = self._of_heatmaps.get(heatmap, (None, frozenset()))
        return set(measures) - taken

    def is_checked(self, review: Review, frame: int, stage: str) -> bool:
        """Whether a stage's heatmap in a frame was measured with the network."""
        heatmap, evidence = review.results.heatmaps(frame).get(stage), self.evidence(review, frame, stage)
        if heatmap is None or evidence is None:
            return False
        return evidence.influence is not None or "sanity" not in self.missing(heatmap, ("sanity",))

    def evidence(self, review: Review, frame: int, stage: str) -> StageEvidence | None:
        """Return what is known of a stage's heatmap in a frame; None if nothing is."""
        heatmap, stored = review.results.heatmaps(frame).get(stage), review.results.stored_heatmaps(frame)
        if heatmap is None or stored is None or heatmap.reason is not None:
            return None
        evidence, _ = self._of_heatmaps.get(heatmap, (None, frozenset()))
        if evidence is not None and evidence.influence is not None:
            return evidence
        influence = self._influence_in(review, frame, stage, stored.region_digest)
        if influence is None:
            return evidence
        return self._with_influence(heatmap, evidence, influence)

    def drop_influences(self) -> None:
        """Drop the influences of all reviews, with the networks that they hold."""
        self._influences.clear()

    def _influence_in(self, review: Review, frame: int, stage: str, digest: bytes | None) -> Influence | None:
        influences = self.influences(review)
        if influences is None or (influences.frame, influences.region_digest) != (frame, digest):
            return None
        evidence = influences.stages.get(stage)
        return None if evidence is None else evidence.influence

    def _with_influence(self, heatmap: Heatmap, evidence: StageEvidence | None, influence: Influence) -> StageEvidence:
        from napari_segcam.evidence.stage_evidence import StageEvidence

        return StageEvidence(heatmap.stage, influence) if evidence is None else replace(evidence, influence=influence)
