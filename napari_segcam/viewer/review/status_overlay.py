"""The words on the canvas: about the frame in view, and about the scale of its heat."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.components.overlays import TextOverlay
from napari.utils.theme import get_theme

from napari_segcam.viewer.drawing.theme_colors import HIGHLIGHTS

_ON_DARK = "#ffb000"


class StatusOverlay:
    """A few words in two corners of a viewer's canvas: about the frame in view at the top, about the scale below.

    The words have a box behind them, so that they can be read over heat and speckle. The box has the color of the
    theme's canvas, and the words one that can be read on it.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._overlays = viewer.canvas.overlays
        self._of_scale = self._add("segcam_scale", TextOverlay(position="bottom_left", font_size=9, box=True))
        self._of_frame = self._add(
            "segcam_status", TextOverlay(position="top_left", font_size=11, color=_ON_DARK, box=True)
        )
        self._viewer = viewer
        self._follow_theme()
        viewer.events.theme.connect(self._follow_theme)

    def _follow_theme(self) -> None:
        red, green, blue = get_theme(self._viewer.theme).canvas.as_rgb_tuple()[:3]
        is_light = red + green + blue > 3 * 127
        self._of_frame.color = HIGHLIGHTS[1].name() if is_light else _ON_DARK

    def say(self, of_frame: str, of_scale: str) -> None:
        """Show these words about the frame in view and about the scale; without words, the box is hidden too."""
        for name, overlay, words in (
            ("segcam_scale", self._of_scale, of_scale),
            ("segcam_status", self._of_frame, of_frame),
        ):
            if self._overlays.get(name) is overlay:  # the user may have removed it
                _set_changed(overlay, text=words, visible=bool(words))

    def _add(self, name: str, overlay: TextOverlay) -> TextOverlay:
        self._overlays[name] = overlay
        return overlay


def _set_changed(overlay: TextOverlay, **values: Any) -> None:
    """Set the values that differ: each setting draws the canvas again."""
    for name, value in values.items():
        if getattr(overlay, name) != value:
            setattr(overlay, name, value)
