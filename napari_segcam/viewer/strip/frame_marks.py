"""How frames look in the cine strip: a color and a height for each state, told apart by the color-blind too."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.cine_record import CineRecord, State


class FrameMark(IntEnum):
    """What the strip says about a frame. Where several frames share a pixel, the largest wins."""

    MISSING = 0
    NOTHING = 1
    FOUND = 2
    EDITED = 3
    COMPUTING = 4
    FAILED = 5


class Style(NamedTuple):
    """How a look is drawn: the column's color and the share of the row's height that it fills."""

    label: str
    color: tuple[int, int, int]
    height: float


# Near the palette of Okabe and Ito (2008), further apart; the heights tell apart what a gray print does not.
STYLES = {
    FrameMark.MISSING: Style("not computed", (70, 76, 84), 0.25),
    FrameMark.NOTHING: Style("nothing found", (225, 228, 232), 0.5),
    FrameMark.FOUND: Style("found", (86, 180, 233), 1.0),
    FrameMark.EDITED: Style("corrected by you", (160, 60, 190), 1.0),
    FrameMark.COMPUTING: Style("computing", (240, 228, 66), 0.5),
    FrameMark.FAILED: Style("failed", (220, 80, 0), 1.0),
}


def looks(record: CineRecord) -> NDArray[np.uint8]:
    """``(T,)`` of ``FrameMark``."""
    states = record.states
    of_frames = np.full(len(record), FrameMark.MISSING, np.uint8)
    of_frames[states == State.DONE] = FrameMark.NOTHING
    of_frames[(states == State.DONE) & record.findings()] = FrameMark.FOUND
    of_frames[sorted(record.edited)] = FrameMark.EDITED
    of_frames[states == State.COMPUTING] = FrameMark.COMPUTING
    of_frames[states == State.FAILED] = FrameMark.FAILED
    return of_frames


def row_of_columns(of_frames: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Draw one column per frame.

    Args:
        of_frames: ``(T,)`` of ``FrameMark``.
        width: of the row in pixels. Where it is less than T, a pixel shows the largest look of its frames.
        height: of the row in pixels.

    Returns:
        ``(height, width, 4)`` RGBA; there are gaps between columns that are wide enough.
    """
    frames = len(of_frames)
    if frames > width:
        of_pixels = np.maximum.reduceat(of_frames, np.arange(width) * frames // width)
        is_gap = np.zeros(width, bool)
    else:
        at = np.arange(width) * frames // width
        of_pixels = of_frames[at]
        is_gap = np.diff(at, append=frames) > 0 if width >= 4 * frames else np.zeros(width, bool)
    colors = np.array([(*STYLES[look].color, 255) for look in FrameMark], np.uint8)[of_pixels]
    colors[is_gap] = 0
    tall = np.array([max(1, round(STYLES[look].height * height)) for look in FrameMark])[of_pixels]
    is_filled = np.arange(height, 0, -1)[:, None] <= tall
    return np.ascontiguousarray(np.where(is_filled[:, :, None], colors, 0).astype(np.uint8))


def legend() -> str:
    """What the colors mean, as rich text."""
    rows = (f'<span style="color: rgb{style.color}">■</span> {style.label}' for style in STYLES.values())
    return "&nbsp; ".join(rows)
