"""Caption: a band below a picture that says what it shows, and that it is for research only; it hides nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_segcam.dicom_objects.new_object import RESEARCH_ONLY
from napari_segcam.reporting.lettering import text_and_font, text_width, truncate_text, wrap_text

Picture = NDArray[np.uint8]

_GROUND, _TEXT, _WARNING = (16, 18, 20), (228, 232, 236), (255, 204, 92)
_SMALLEST, _LARGEST = 11, 26
_MARGIN = 4
_USUAL_NOTE = "Frame 100 of 100. Empty: the network gave values that are not numbers (NaN or infinity) at this stage."
_MOST_NOTE_LINES = 5


@dataclass(frozen=True)
class ColorBar:
    """The colors of a heatmap, from its lowest to its highest value.

    Attributes:
        colors: ``(n, 3)``, from low to high.
        low: text at the left end.
        high: text at the right end.
    """

    colors: NDArray[np.uint8]
    low: str
    high: str


class Caption:
    """A band of text for the pictures of one size.

    Its height is the same for all pictures. The letters grow with the picture, and are never smaller than 11 pixels;
    text that is too long for a line takes several. A picture that is too narrow for the longest word gets a dark margin
    at its right.

    Args:
        shape: rows and columns of the pictures.
        title: what they show.
        bar: their colors.
        has_notes: whether there is room for a note about each picture.
    """

    def __init__(
        self, shape: tuple[int, int], title: str, bar: ColorBar | None = None, *, has_notes: bool = True
    ) -> None:
        rows, columns = shape
        self._shape = shape
        self._size = min(max(columns // 44, _SMALLEST), _LARGEST)
        self._line = self._size + self._size // 2
        longest = max(text_width(word, self._size) for word in f"{RESEARCH_ONLY} {title}".split())
        width = max(columns, min(longest, 40 * self._size) + 2 * _MARGIN)
        self.width = width + width % 2  # a pair of pixels shares its color in the compressed picture
        room = self.width - 2 * _MARGIN
        self._lines = [(line, _WARNING) for line in wrap_text(RESEARCH_ONLY, self._size, room)]
        self._lines += [(truncate_text(line, self._size, room), _TEXT) for line in wrap_text(title, self._size, room)]
        self._bar = bar
        usual = len(wrap_text(_USUAL_NOTE, self._size, room))
        self._note_lines = min(usual, _MOST_NOTE_LINES) if has_notes else 0
        count = len(self._lines) + (bar is not None) + self._note_lines
        self.height = rows + count * self._line + 2 * _MARGIN

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a picture with its caption."""
        return self.height, self.width

    def draw(self, picture: Picture, note: str = "") -> Picture:
        """Return a picture ``(Y, X, 3)`` with its caption below; its own pixels stay as and where they are.

        Args:
            picture: of the shape that was announced.
            note: about this picture; where there is no room for all of it, it ends at a comma or with an ellipsis.
        """
        rows, columns = self._shape
        canvas = Image.new("RGB", (self.width, self.height), _GROUND)
        canvas.paste(Image.fromarray(np.ascontiguousarray(picture[:rows, :columns])), (0, 0))
        draw = ImageDraw.Draw(canvas)
        y = rows + _MARGIN
        for line, color in self._lines:
            self._write(draw, (_MARGIN, y), line, color)
            y += self._line
        if self._bar is not None:
            self._draw_bar(canvas, draw, self._bar, y)
            y += self._line
        for line in self._fitting(note):
            self._write(draw, (_MARGIN, y), line, _TEXT)
            y += self._line
        return np.asarray(canvas)

    def _fitting(self, note: str) -> list[str]:
        """Return the lines of a note, or of its beginning up to a comma, if they have room."""
        room = self.width - 2 * _MARGIN
        shorter = note
        while True:
            lines = [truncate_text(line, self._size, room) for line in wrap_text(shorter, self._size, room)]
            if len(lines) <= self._note_lines:
                return lines
            head, comma, _ = shorter.rpartition(",")
            if not comma:
                return [
                    *lines[: self._note_lines - 1],
                    truncate_text(f"{lines[self._note_lines - 1]} …", self._size, room),
                ]
            shorter = f"{head}."

    def _draw_bar(self, canvas: Image.Image, draw: ImageDraw.ImageDraw, bar: ColorBar, y: int) -> None:
        room = self.width - 2 * _MARGIN - text_width(bar.low, self._size) - text_width(bar.high, self._size)
        length = min(12 * self._size, room - 2 * self._size)
        if length < self._size:  # too narrow for the bar and its values
            return
        x = _MARGIN
        self._write(draw, (x, y), bar.low, _TEXT)
        x += text_width(bar.low, self._size) + self._size // 2
        columns = np.linspace(0, len(bar.colors) - 1, length).round().astype(int)
        stripe = np.tile(bar.colors[columns][None], (self._size, 1, 1))
        canvas.paste(Image.fromarray(stripe), (x, y + 2))
        self._write(draw, (x + length + self._size // 2, y), bar.high, _TEXT)

    def _write(
        self, draw: ImageDraw.ImageDraw, position: tuple[int, int], text: str, color: tuple[int, int, int]
    ) -> None:
        drawable, font = text_and_font(text, self._size)
        draw.text(position, drawable, fill=color, font=font)
