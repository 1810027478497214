"""The steps of a check: the measures of heatmaps that were not taken yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_segcam.viewer.evidence.evidence_store import EvidenceStore
from napari_segcam.viewer.evidence.tasks import Step
from napari_segcam.viewer.review.review import Review

if TYPE_CHECKING:  # torch comes with it, and is imported in the worker first
    from napari_segcam.evidence.measuring import Measure

AT_REST: tuple[Measure, ...] = ("in_out", "echo", "off_scan")
"""The measures that need no run of the network."""
ALL: tuple[Measure, ...] = ("influence", "faithfulness", "sanity", "stability", *AT_REST)


def missing_measures(store: EvidenceStore, review: Review, frame: int, stage: str) -> set[str]:
    """Return the measures of a stage's heatmap in a frame that were not taken; none where there is no heatmap.

    The influence may be known from another method's heatmap.
    """
    heatmap, known = review.results.heatmaps(frame).get(stage), store.evidence(review, frame, stage)
    if heatmap is None:
        return set()
    return store.missing(heatmap, ALL) - ({"influence"} if known is not None and known.influence is not None else set())


def check_steps(store: EvidenceStore, review: Review, frame: int, stages: Sequence[str]) -> list[Step]:
    """Return the steps that take all missing measures of the heatmaps of these stages in a frame."""
    missing = {stage: missing_measures(store, review, frame, stage) for stage in stages}

    def lacking(measure: str) -> tuple[str, ...]:
        return tuple(stage for stage in stages if measure in missing[stage])

    steps = [Step((stage,), AT_REST) for stage in stages if missing[stage] & set(AT_REST)]
    if influence := lacking("influence"):
        steps.append(Step(influence, ("influence",), len(influence)))
    # How many runs of the part of the network behind a stage take as long, for the progress.
    steps += [Step((stage,), ("faithfulness",), 60) for stage in lacking("faithfulness")]
    if sanity := lacking("sanity"):
        steps.append(Step(sanity, ("sanity",), 30))
    if stability := lacking("stability"):
        steps.append(Step(stability, ("stability",), 30))
    return steps
