"""How frames look in the cine strip: a colour and a height for each state, told apart by the colour-blind too."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.cine_record import CineRecord, State


class Look(IntEnum):
    """What the strip says about a frame. Where several frames share a pixel, the largest wins."""

    MISSING = 0
    NOTHING = 1
    FOUND = 2
    EDITED = 3
    COMPUTING = 4
    FAILED = 5


class Style(NamedTuple):
    """How a look is drawn: the column's colour and the share of the row's height that it fills."""

    label: str
    colour: tuple[int, int, int]
    height: float


# Near the palette of Okabe and Ito (2008), further apart; the heights tell apart what a gray print does not.
STYLES = {
    Look.MISSING: Style("not computed", (70, 76, 84), 0.25),
    Look.NOTHING: Style("nothing found", (225, 228, 232), 0.5),
    Look.FOUND: Style("found", (86, 180, 233), 1.0),
    Look.EDITED: Style("corrected by you", (160, 60, 190), 1.0),
    Look.COMPUTING: Style("computing", (240, 228, 66), 0.5),
    Look.FAILED: Style("failed", (220, 80, 0), 1.0),
}


def looks(record: CineRecord) -> NDArray[np.uint8]:
    """``(T,)`` of ``Look``."""
    states = record.states
    of_frames = np.full(len(record), Look.MISSING, np.uint8)
    of_frames[states == State.DONE] = Look.NOTHING
    of_frames[(states == State.DONE) & record.findings()] = Look.FOUND
    of_frames[sorted(record.edited)] = Look.EDITED
    of_frames[states == State.COMPUTING] = Look.COMPUTING
    of_frames[states == State.FAILED] = Look.FAILED
    return of_frames


def row_of_columns(of_frames: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Draw one column per frame.

    Args:
        of_frames: ``(T,)`` of ``Look``.
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
    colours = np.array([(*STYLES[look].colour, 255) for look in Look], np.uint8)[of_pixels]
    colours[is_gap] = 0
    tall = np.array([max(1, round(STYLES[look].height * height)) for look in Look])[of_pixels]
    is_filled = np.arange(height, 0, -1)[:, None] <= tall
    return np.ascontiguousarray(np.where(is_filled[:, :, None], colours, 0).astype(np.uint8))


def legend() -> str:
    """What the colours mean, as rich text."""
    rows = (f'<span style="color: rgb{style.colour}">■</span> {style.label}' for style in STYLES.values())
    return "&nbsp; ".join(rows)
