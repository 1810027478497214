"""Compared classes: which other class the heat sets the explained one against, in words for the canvas."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.viewer.review.review import Review


def compared_classes(review: Review, frame: int, heated: tuple[str, ...]) -> Sequence[str]:
    """Return a line for a frame whose heat explains one class against others; empty for all other heat.

    Args:
        review: of the chosen image.
        frame: the one in view.
        heated: stages whose heat is visible.
    """
    stored, plan = review.results.stored_heatmaps(frame), review.plan
    if not heated or stored is None or plan is None or not stored.against:
        return ()
    names = plan.network.class_names
    others = " and ".join(names[index] for index in stored.against)
    return (f"heat compares {names[plan.class_index]} with {others}",)
