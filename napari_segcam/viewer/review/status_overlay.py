"""The words on the canvas: about the frame in view, and about the scale of its heat."""

from __future__ import annotations

from textwrap import fill
from typing import Any

from napari.components import ViewerModel
from napari.components.overlays import TextOverlay
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QObject

from napari_segcam.viewer.drawing.theme_colors import HIGHLIGHTS
from napari_segcam.viewer.napari_internals.canvas import canvas_of

_ON_DARK = "#ffb000"
_FRAME_POINTS, _SCALE_POINTS = 11, 9
_PIXELS_A_POINT = 0.92  # of the width of a letter, on average, as it is drawn on the canvas
_MARGINS = 20  # pixels beside the words
_COLOR_BAR = 100  # pixels that a color bar with its numbers takes at the right, beside the words about the frame
_LONGEST, _SHORTEST = 44, 12  # characters of a line


class StatusOverlay(QObject):
    """A few words in two corners of a viewer's canvas: about the frame in view at the top, about the scale below.

    The words have a box behind them, so that they can be read over heat and speckle. The box has the color of the
    theme's canvas, and the words one that can be read on it. On a narrow canvas their lines are shorter.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._overlays = viewer.canvas.overlays
        self._of_scale = self._add(
            "segcam_scale", TextOverlay(position="bottom_left", font_size=_SCALE_POINTS, box=True)
        )
        self._of_frame = self._add(
            "segcam_status", TextOverlay(position="top_left", font_size=_FRAME_POINTS, color=_ON_DARK, box=True)
        )
        self._viewer = viewer
        self._said = ("", "")
        self._width: int | None = None  # of the canvas in pixels; None without a window
        self._follow_theme()
        viewer.events.theme.connect(self._follow_theme)
        canvas = canvas_of(viewer)
        if canvas is not None:
            self._width = canvas.width()
            canvas.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.Resize:
            self._width = watched.width()
            self.say(*self._said)
        return False

    def _follow_theme(self) -> None:
        red, green, blue = get_theme(self._viewer.theme).canvas.as_rgb_tuple()[:3]
        is_light = red + green + blue > 3 * 127
        self._of_frame.color = HIGHLIGHTS[1].name() if is_light else _ON_DARK

    def say(self, of_frame: str, of_scale: str) -> None:
        """Show these words about the frame in view and about the scale; without words, the box is hidden too."""
        self._said = (of_frame, of_scale)
        for name, overlay, words in (
            ("segcam_scale", self._of_scale, wrapped(of_scale, self._width, _SCALE_POINTS)),
            (
                "segcam_status",
                self._of_frame,
                wrapped(of_frame, None if self._width is None else self._width - _COLOR_BAR, _FRAME_POINTS),
            ),
        ):
            if self._overlays.get(name) is overlay:  # the user may have removed it
                _set_changed(overlay, text=words, visible=bool(words))

    def _add(self, name: str, overlay: TextOverlay) -> TextOverlay:
        self._overlays[name] = overlay
        return overlay


def wrapped(words: str, width: int | None, points: int) -> str:
    """Return words in lines that fit a canvas.

    Args:
        words: lines of any length.
        width: pixels that there are; None if that is not known.
        points: size of the font.
    """
    letters = _LONGEST
    if width is not None:
        letters = min(_LONGEST, max(_SHORTEST, int((width - _MARGINS) / (points * _PIXELS_A_POINT))))
    return "\n".join(fill(line, letters) for line in words.splitlines())


def _set_changed(overlay: TextOverlay, **values: Any) -> None:
    """Set the values that differ: each setting draws the canvas again."""
    for name, value in values.items():
        if getattr(overlay, name) != value:
            setattr(overlay, name, value)
