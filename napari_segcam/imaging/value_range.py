"""What black and white are, where nobody has said."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError


def value_range_of(*frames: NDArray[np.generic], name: str = "the frame") -> tuple[float, float]:
    """The values that mean black and white.

    Those of the dtype for uint8 and uint16. Other whole numbers hold images of fewer bits than they could: for them it
    is the first of 0–255 and 0–65535 that holds the frames, and for fractions the first of 0–1 and 0–255.

    Args:
        frames: of one dtype.
        name: of what they belong to, for the error.

    Raises:
        SegcamError: if the values lie outside these ranges and so have no usual meaning, or are no real numbers.
    """
    dtype = frames[0].dtype
    if dtype.kind not in "buif":
        raise SegcamError(f"The values of {name} must be real numbers, but they are {dtype}.")
    if dtype.kind == "b":
        return 0.0, 1.0
    if depends_on_dtype_alone(dtype):
        return 0.0, float(np.iinfo(dtype.name).max)
    low, high = min(float(frame.min()) for frame in frames), max(float(frame.max()) for frame in frames)
    for white in (1.0, 255.0) if dtype.kind == "f" else (255.0, 65535.0):
        if low >= 0 and high <= white:
            return 0.0, white
    raise SegcamError(
        f"The values of {name} run from {low:g} to {high:g}: it is not clear which are black and white. "
        "Scale the image to 0–1 or 0–255, or give the value range."
    )


def depends_on_dtype_alone(dtype: np.dtype[Any]) -> bool:
    """Whether black and white can be told without looking at a frame."""
    return dtype.kind == "b" or (dtype.kind == "u" and dtype.itemsize <= 2)
