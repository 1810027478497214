"""The status on the canvas: what there is to see of the frame in view, and what its heat is scaled to."""

from __future__ import annotations

from textwrap import fill

from napari.components import ViewerModel
from napari.components.overlays import TextOverlay

from napari_segcam.viewer.record import State
from napari_segcam.viewer.review import Review

_NAME = "segcam_status"
_WIDTH = 60  # characters


class StatusOverlay:
    """A few words in the corner of a viewer's canvas."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._overlays = viewer.canvas.overlays
        self._overlay = TextOverlay(position="bottom_left", font_size=9, box=True)
        self._overlays[_NAME] = self._overlay

    def say(self, words: str) -> None:
        """Show these words, or nothing."""
        if self._overlays.get(_NAME) is not self._overlay:  # the user has taken it out
            return
        if self._overlay.text != words:
            self._overlay.text = words
        if self._overlay.visible != bool(words):
            self._overlay.visible = bool(words)


def status(review: Review, frame: int) -> str:
    """What is to be said of a frame in view."""
    if review.plan is None:
        return ""
    lines = [_of_frame(review, frame)]
    if frame in review.record.edited:
        lines.append("mask edited by hand")
    for name, layer in review.layers.heatmaps.items():
        if layer.visible and (reason := review.why_empty(name)) is not None:
            lines.append(fill(f"{name}: no heat, since {reason}", _WIDTH))
    if any(layer.visible for layer in review.layers.heatmaps.values()):
        lines.append(_of_scale(review))
    return "\n".join(line for line in lines if line)


def _of_frame(review: Review, frame: int) -> str:
    # No number in it, which the slider tells, nor which frame is at work: other words take napari as long as a layer.
    if review.record.states[frame] == State.FAILED:
        return "failed"
    finding = review.finding()
    if finding is None:
        return "computing …" if review.awaits(frame) else "not computed"
    if not finding.pixels:
        return "nothing found" + ("" if review.has_classes else f" above {review.computation.cut:.2f}")
    return ""


def _of_scale(review: Review) -> str:
    frames = len(review.record)
    if frames == 1 or review.layers.heat.scale == "frame":
        return "heat scaled to this frame"
    seen = review.layers.heat.seen()
    # How many they are, the strip tells: here each change would draw the whole canvas anew.
    return "heat scaled to the clip" + ("" if seen == frames else " so far")
