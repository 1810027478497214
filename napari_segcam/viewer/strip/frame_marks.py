"""Marks of frames in the cine strip: a color and a height for each state, also for color-blind readers."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.cine_record import CineRecord, FrameState


class FrameMark(IntEnum):
    """The state of a frame in the strip. If several frames share a pixel, the largest mark wins."""

    MISSING = 0
    NO_FINDING = 1
    FINDING = 2
    CORRECTED = 3
    COMPUTING = 4
    FAILED = 5


class MarkStyle(NamedTuple):
    """How a mark is drawn, also without its color.

    Attributes:
        label: its name.
        color: of its column.
        height: the share of the row's height that it fills.
        gaps: where it is interrupted, as shares of the row's height from below.
    """

    label: str
    color: tuple[int, int, int]
    height: float
    gaps: tuple[float, ...] = ()


# Close to the palette of Okabe and Ito (2008), with larger distances. No two have the same height and gaps.
STYLES = {
    FrameMark.MISSING: MarkStyle("not computed", (70, 76, 84), 0.25),
    FrameMark.NO_FINDING: MarkStyle("no finding", (225, 228, 232), 0.5),
    FrameMark.FINDING: MarkStyle("finding", (86, 180, 233), 1.0),
    FrameMark.CORRECTED: MarkStyle("corrected by you", (160, 60, 190), 1.0, (0.5,)),
    FrameMark.COMPUTING: MarkStyle("computing", (240, 228, 66), 0.75),
    FrameMark.FAILED: MarkStyle("failed", (220, 80, 0), 1.0, (0.25, 0.5, 0.75)),
}


def frame_marks(record: CineRecord) -> NDArray[np.uint8]:
    """Return the mark of each frame.

    Returns:
        ``(T,)`` of ``FrameMark``.
    """
    states = record.states
    marks = np.full(len(record), FrameMark.MISSING, np.uint8)
    marks[states == FrameState.DONE] = FrameMark.NO_FINDING
    marks[(states == FrameState.DONE) & record.findings()] = FrameMark.FINDING
    marks[sorted(record.edited)] = FrameMark.CORRECTED
    marks[states == FrameState.COMPUTING] = FrameMark.COMPUTING
    marks[states == FrameState.FAILED] = FrameMark.FAILED
    return marks


def draw_marks(marks: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Draw one column per frame, with gaps between columns that are wide enough.

    Args:
        marks: ``(T,)`` of ``FrameMark``.
        width: of the row in pixels. If it is less than T, a pixel shows the largest mark of its frames.
        height: of the row in pixels.

    Returns:
        ``(height, width, 4)`` RGBA.
    """
    frames = len(marks)
    first_frames = np.arange(width) * frames // width  # the frame at each pixel, or the first of several
    pixel_marks = np.maximum.reduceat(marks, first_frames) if frames > width else marks[first_frames]
    is_gap = np.zeros(width, bool)
    if width >= 4 * frames:
        is_gap = np.diff(first_frames, append=frames) > 0
    colors = np.array([(*STYLES[mark].color, 255) for mark in FrameMark], np.uint8)[pixel_marks]
    colors[is_gap] = 0
    heights = np.array([max(1, round(STYLES[mark].height * height)) for mark in FrameMark])[pixel_marks]
    is_filled = np.arange(height, 0, -1)[:, None] <= heights
    for mark, style in STYLES.items():
        for gap in style.gaps:
            is_filled[height - 1 - int(gap * height), pixel_marks == mark] = False
    return np.ascontiguousarray(np.where(is_filled[:, :, None], colors, 0).astype(np.uint8))


def legend() -> str:
    """Return what the colors mean, as rich text."""
    entries = (f'<span style="color: rgb{style.color}">■</span> {style.label}' for style in STYLES.values())
    return "&nbsp; ".join(entries)
