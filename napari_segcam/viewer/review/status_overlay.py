"""The status on the canvas: what there is to see of the frame in view, and what its heat is scaled to."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.components.overlays import TextOverlay

_COLOR = "#ffb000"


class StatusOverlay:
    """A few words in the corners of a viewer's canvas: on the frame in view above, on the colors below.

    Words have a box behind them, without which nobody could read them over heat or speckle.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._overlays = viewer.canvas.overlays
        self._of_scale = self._added("segcam_scale", TextOverlay(position="bottom_left", font_size=9, box=True))
        self._of_frame = self._added(
            "segcam_status", TextOverlay(position="top_left", font_size=11, color=_COLOR, box=True)
        )

    def say(self, of_frame: str, of_scale: str) -> None:
        """Show these words on the frame in view and on what its heat is scaled to; none hide their box as well."""
        for name, overlay, words in (
            ("segcam_scale", self._of_scale, of_scale),
            ("segcam_status", self._of_frame, of_frame),
        ):
            if self._overlays.get(name) is overlay:  # the user may have taken it out
                _set(overlay, text=words, visible=bool(words))

    def _added(self, name: str, overlay: TextOverlay) -> TextOverlay:
        self._overlays[name] = overlay
        return overlay


def _set(overlay: TextOverlay, **values: Any) -> None:
    """Set what is not so already, since each setting has the canvas drawn."""
    for name, value in values.items():
        if getattr(overlay, name) != value:
            setattr(overlay, name, value)
