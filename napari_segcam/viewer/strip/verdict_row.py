"""The row of verdicts in the cine strip: a letter, a height and a color for each run of frames with one verdict."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPen

from napari_segcam.review.frame_verdicts import FrameVerdict

ROW_HEIGHT = 11
_LETTER_WIDTH = 9  # pixels that a run needs for its letter
_MARKED = QColor(255, 255, 255)


class VerdictStyle(NamedTuple):
    """How a verdict is drawn: its letter, its word, its color, and the share of the row's height that it fills."""

    letter: str
    word: str
    color: tuple[int, int, int]
    height: float


# Okabe and Ito (2008); the heights differ for gray prints.
STYLES = {
    FrameVerdict.ACCEPT: VerdictStyle("A", "accepted", (0, 158, 115), 0.55),
    FrameVerdict.CORRECT: VerdictStyle("C", "corrected", (160, 60, 190), 0.75),
    FrameVerdict.REJECT: VerdictStyle("R", "rejected", (213, 94, 0), 1.0),
}


def letter_color(style: VerdictStyle) -> QColor:
    """Return black or white, whichever can be read on the color of a verdict."""
    red, green, blue = style.color
    return QColor(0, 0, 0) if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 96 else QColor(255, 255, 255)


def runs_of(row: NDArray[np.uint8]) -> Iterator[tuple[int, int, FrameVerdict]]:
    """Yield each run of frames with the same verdict: its first frame, the one after its last, and the verdict."""
    edges = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), len(row)]
    for start, stop in pairwise(edges):
        if start < stop and row[start] != FrameVerdict.NONE:
            yield start, stop, FrameVerdict(int(row[start]))


def draw_verdicts(
    painter: QPainter, row: NDArray[np.uint8], marked: tuple[int, int] | None, left: float, top: float, width: float
) -> None:
    """Draw the row, and a frame around the range that is marked for the next verdict.

    Args:
        painter: to draw with.
        row: ``(T,)`` of ``FrameVerdict``.
        marked: the first and the last frame of the range; None without one.
        left, top, width: of the row in pixels.
    """
    scale = width / len(row)
    font = QFont(painter.font())
    font.setPixelSize(ROW_HEIGHT - 2)
    font.setBold(True)
    painter.setFont(font)
    for start, stop, verdict in runs_of(row):
        style = STYLES[verdict]
        box = QRectF(left + start * scale, top, max(1.0, (stop - start) * scale), ROW_HEIGHT)
        height = ROW_HEIGHT * style.height
        painter.fillRect(QRectF(box.left(), box.bottom() - height, box.width(), height), QColor(*style.color))
        if box.width() >= _LETTER_WIDTH:
            painter.setPen(letter_color(style))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, style.letter)
    if marked is not None:
        first, last = marked
        painter.setPen(QPen(_MARKED, 1, Qt.PenStyle.DashLine))
        painter.drawRect(QRectF(left + first * scale, top - 1, (last + 1 - first) * scale - 1, ROW_HEIGHT + 1))


def legend() -> str:
    """Return what the letters and colors mean, as rich text."""
    entries = (
        f'<span style="color: rgb{style.color}">■</span> {style.letter} {style.word}' for style in STYLES.values()
    )
    return "&nbsp; ".join(entries)
