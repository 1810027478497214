"""Asking: what is explained at a place, and its heatmaps in place of those of the run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_segcam.viewer.frames.plan import PaintedRegion, Plan
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.review import Review

if TYPE_CHECKING:  # torch comes with these: they are imported when the user has loaded a network
    from napari_segcam.explanation.targets.region import At, Box, Polygon
    from napari_segcam.network.network import Network


@dataclass(frozen=True)
class Asked:
    """A place that the user has asked about.

    Attributes:
        region: as the network's frames have it.
        class_index: of the class that is asked about.
        frame: in which the user has asked.
    """

    region: At | Box | Polygon
    class_index: int
    frame: int


def plan_of(
    asked: Asked,
    network: Network,
    review: Review,
    request: RunRequest,
    threshold: float,
    painted_region: PaintedRegion = lambda _frame: None,
) -> Plan:
    """Return the plan by which a place is explained, in any frame of the image.

    Args:
        asked: the place.
        network: that runs.
        review: of the image.
        request: of which the method and the stages are used.
        threshold: of the masks that are shown.
        painted_region: returns the pixels of a frame that are the region in place of the predicted mask, or None.
    """
    request = replace(request, class_index=asked.class_index, region=asked.region)
    return Plan(network, review.input.source, request, threshold, painted_region)


def show_asked(review: Review, plan: Plan) -> None:
    """Show the heatmaps of an asked plan, as far as they are computed, in place of those of the run."""
    results, heat = review.results, review.layers.heat
    results.asked = plan
    heat.begin(plan.stages, lambda stage, frame: results.heatmap(plan, stage, frame))
    review.layers.explained_region.begin()


def show_run(review: Review) -> None:
    """Show the heatmaps of the run again; nothing is computed."""
    results, heat, plan = review.results, review.layers.heat, review.plan
    results.asked = None
    if plan is None:
        return
    heat.begin(plan.stages, lambda stage, frame: results.heatmap(plan, stage, frame))
    for frame in results.frames():
        heat.enter(frame, results.heatmaps(frame))
    heat.refresh()
