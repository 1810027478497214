"""Drawing before the prediction is seen: a blank layer of corrections, with the brush in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.layers.selection import paint_in

if TYPE_CHECKING:
    from napari_segcam.viewer.review.review import Review
    from napari_segcam.viewer.review.session import ReviewSession


def draw_blind(session: ReviewSession, review: Review) -> None:
    """Select a blank layer of corrections and the brush; with a network, its labels have the network's names."""
    network = session.network
    if network is not None and review.plan is None:
        asked = session.reviews.hiding.request_of(review.image) or RunRequest()
        plan = Plan(network, review.input.source, asked, session.threshold, lambda _frame: None)
        review.corrections.network = network
        review.layers.arrange(plan.mask_names, plan.mask_names[plan.mask_index])
        review.layers.corrections.color(network.classes, session.class_colors)
    image = review.image
    rows, columns = image.data.shape[image.ndim - 2 : image.ndim]
    paint_in(session.viewer, review.layers.corrections.begin_drawing((rows, columns)))
