"""The status on the canvas: what there is to see of the frame in view, and what its heat is scaled to."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.components.overlays import TextOverlay

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


def _set(overlay: TextOverlay, **values: Any) -> None:
    """Set what is not so already, since each setting has the canvas drawn."""
    for name, value in values.items():
        if getattr(overlay, name) != value:
            setattr(overlay, name, value)
