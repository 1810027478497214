"""The status on the canvas: what there is to see of the frame in view, and what its heat is scaled to."""

from __future__ import annotations

from textwrap import fill
from typing import Any

from napari.components import ViewerModel
from napari.components.overlays import TextOverlay

from napari_segcam.viewer.record import State
from napari_segcam.viewer.review import Review

_WIDTH = 60  # characters
_COLOUR = "#ffb000"
# All letters of these words, and the digits of the colour bar, which has its letters from the same place.
_FIRST_WORDS = "computing … not computed failed nothing found heat scaled to this frame, the clip so far 0123456789.-"


class StatusOverlay:
    """A few words in the corners of a viewer's canvas: on the frame in view above, on the colours below.

    Words that change take napari as long to draw as several layers, and have it draw twice, since they may need another
    place. So what comes and goes while the user scrubs keeps its words and place, and is only seen through. The box
    behind it, which costs about as much, is there where there may be heat, over which nobody could read the words.

    A letter takes some 15 ms to draw for the first time, and the first words would stop the window for 150 ms. So all
    letters are drawn at once, unseen, when the viewer has just begun to be used.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._overlays = viewer.canvas.overlays
        self._of_scale = self._added("segcam_scale", TextOverlay(position="bottom_left", font_size=9, box=True))
        self._of_frame = self._added(
            "segcam_status",
            TextOverlay(
                position="top_left",
                font_size=11,
                color=_COLOUR,
                box=False,
                text=_FIRST_WORDS,
                visible=True,
                opacity=0,
            ),
        )

    def say(self, of_frame: str, of_scale: str, *, over_heat: bool = True) -> None:
        """Show these words on the frame in view, where there may be heat or not, and on what that is scaled to."""
        if self._is_there("segcam_scale", self._of_scale):
            _set(self._of_scale, text=of_scale, visible=bool(of_scale))
        if self._is_there("segcam_status", self._of_frame):
            if of_frame:
                _set(self._of_frame, text=of_frame)
            _set(self._of_frame, opacity=float(bool(of_frame)), box=bool(of_frame) and over_heat)

    def _added(self, name: str, overlay: TextOverlay) -> TextOverlay:
        self._overlays[name] = overlay
        return overlay

    def _is_there(self, name: str, overlay: TextOverlay) -> bool:
        return self._overlays.get(name) is overlay  # the user may have taken it out


def frame_status(review: Review, frame: int) -> str:
    """What is to be said of a frame in view."""
    if review.plan is None:
        return ""
    lines = [_of_frame(review, frame)]
    if frame in review.record.edited:
        lines.append("mask edited by hand")
    for name, layer in review.layers.heatmaps.items():
        if layer.visible and (reason := review.why_empty(name)) is not None:
            lines.append(fill(f"{name}: no heat, since {reason}", _WIDTH))
    return "\n".join(line for line in lines if line)


def scale_status(review: Review) -> str:
    """What is to be said of the colours of a review's heat."""
    if review.plan is None or not any(layer.visible for layer in review.layers.heatmaps.values()):
        return ""
    frames = len(review.record)
    if frames == 1 or review.layers.heat.scale == "frame":
        return "heat scaled to this frame"
    seen = review.layers.heat.seen()
    # How many they are, the strip tells: here each change would draw the whole canvas anew.
    return "heat scaled to the clip" + ("" if seen == frames else " so far")


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


def _set(overlay: TextOverlay, **values: Any) -> None:
    """Set what is not so already, since each setting has the canvas drawn."""
    for name, value in values.items():
        if getattr(overlay, name) != value:
            setattr(overlay, name, value)
