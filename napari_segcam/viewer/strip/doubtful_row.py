"""The row of doubtful frames in the cine strip, below the marks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_COLOR = (255, 90, 160)
_HEIGHT = 4
DOUBTFUL_LEGEND = f'<span style="color: rgb{_COLOR}">▂</span> doubtful'


def draw_doubtful(doubtful: NDArray[np.bool_], width: int) -> NDArray[np.uint8]:
    """Draw one column for each doubtful frame.

    Args:
        doubtful: ``(T,)``.
        width: of the row in pixels. If it is less than T, a pixel is drawn if any of its frames is doubtful.

    Returns:
        ``(4, width, 4)`` RGBA.
    """
    frames = len(doubtful)
    first_frames = np.arange(width) * frames // width  # the frame at each pixel, or the first of several
    drawn = np.maximum.reduceat(doubtful, first_frames) if frames > width else doubtful[first_frames]
    row = np.where(drawn[:, None], np.array((*_COLOR, 255), np.uint8), np.uint8(0))
    return np.ascontiguousarray(np.broadcast_to(row, (_HEIGHT, width, 4)))
