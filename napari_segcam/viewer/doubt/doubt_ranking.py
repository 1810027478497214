"""The ranking of frames by doubt: where to look first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ranked_frames(doubt: NDArray[np.floating], apart: int) -> list[int]:
    """Return the frames by falling doubt; a frame near a more doubtful one that is listed is left out.

    Args:
        doubt: ``(T,)``, NaN where it is unknown.
        apart: frames closer than this, in number, are near; 1 lists all.
    """
    order = sorted(np.flatnonzero(np.isfinite(doubt)).tolist(), key=lambda frame: (-doubt[frame], frame))
    listed: list[int] = []
    for frame in order:
        if all(abs(frame - other) >= apart for other in listed):
            listed.append(frame)
    return listed
