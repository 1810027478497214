"""How different two pictures look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SAME = 0.06  # largest distance of two pictures that show the same
_CELLS = (6, 8)  # rows and columns in which pictures are compared


def distance(first: Path, second: Path) -> float:
    """Return how different two pictures look, from 0 to 1: the largest mean difference of gray in a part of them.

    Pictures of different sizes have the distance 1. Single pixels and the digits of a time do not matter.
    """
    a, b = (_gray(path) for path in (first, second))
    if a.shape != b.shape:
        return 1.0
    difference = np.abs(a - b)
    rows, columns = (np.array_split(np.arange(n), k) for n, k in zip(a.shape, _CELLS, strict=True))
    return float(max(difference[np.ix_(r, c)].mean() for r in rows for c in columns))


def _gray(path: Path) -> NDArray[np.float32]:
    """Return a picture in gray, ``(Y, X)`` in [0, 1]."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"), dtype=np.float32) / 255
