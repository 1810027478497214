"""What black and white are, where nobody has said."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError


def value_range_of(*frames: NDArray[np.generic], name: str = "the frame") -> tuple[float, float]:
    """The values that mean black and white: those of the dtype for whole numbers, for fractions 0–1 or 0–255.

    Args:
        frames: of one dtype; for fractions the range that holds them all is taken.
        name: of what they belong to, for the error.

    Raises:
        SegcamError: if the values are fractions outside 0–255, which have no usual meaning.
    """
    dtype = frames[0].dtype
    if dtype.kind == "b":
        return 0.0, 1.0
    if dtype.kind in "ui":
        return 0.0, float(np.iinfo(dtype.name).max)
    low, high = min(float(frame.min()) for frame in frames), max(float(frame.max()) for frame in frames)
    if low >= 0 and high <= 255:
        return (0.0, 1.0) if high <= 1 else (0.0, 255.0)
    raise SegcamError(
        f"The values of {name} run from {low:g} to {high:g}: it is not clear which are black and white. "
        "Scale the image to 0–1 or 0–255, or give the value range."
    )
