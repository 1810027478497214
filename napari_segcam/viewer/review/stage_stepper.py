"""Steps through the stages, and switches for the outline of the mask and the scale of the heat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_segcam.viewer.layers.frame_names import frame_word

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_OUTLINE_WIDTH = 2  # screen pixels
_NO_HEATMAPS = "There are no heatmaps yet: run Grad-CAM first."


def step_stage(session: ReviewSession, direction: int) -> None:
    """Show the next heatmap alone: 1 toward the output, -1 toward the input; after the last comes the first."""
    layers = session.layers()
    heatmaps = layers.heatmaps if layers is not None else {}
    if not heatmaps:
        session.viewer.status = _NO_HEATMAPS
        return
    stages = list(heatmaps)
    visible = [index for index, stage in enumerate(stages) if heatmaps[stage].visible]
    start = -1 if direction > 0 else 0
    if visible:
        start = visible[-1] if direction > 0 else visible[0]
    show_stage(session, stages[(start + direction) % len(stages)])


def show_stage(session: ReviewSession, stage: str) -> None:
    """Show this heatmap alone, and name it in the status bar."""
    layers = session.layers()
    heatmaps = layers.heatmaps if layers is not None else {}
    if stage not in heatmaps:
        session.viewer.status = _NO_HEATMAPS
        return
    heatmaps[stage].visible = True  # before the others are hidden, so that one is visible at any time
    for name, layer in heatmaps.items():
        layer.visible = name == stage
    number = list(heatmaps).index(stage) + 1
    session.viewer.status = f"Stage {number} of {len(heatmaps)}: {heatmaps[stage].name}"


def toggle_outline(session: ReviewSession) -> None:
    """Show the mask as an outline, or filled."""
    layers = session.layers()
    masks = layers.mask_layers if layers is not None else []
    if not masks:
        session.viewer.status = "There is no mask yet: run Segmentation or Grad-CAM first."
        return
    is_outlined = bool(masks[0].contour)
    for mask in masks:
        mask.contour = 0 if is_outlined else _OUTLINE_WIDTH
    session.viewer.status = "Mask filled" if is_outlined else "Mask outlined"


def toggle_scale(session: ReviewSession) -> None:
    """Scale the heat to each frame, or to all frames."""
    session.set_scale("frame" if session.scale == "clip" else "clip")
    word = frame_word(session.image)
    session.viewer.status = f"Heat scaled to {f'each {word}' if session.scale == 'frame' else f'all {word}s'}"
