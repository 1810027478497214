"""Cells of the side-by-side comparison: what is drawn in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Overlay:
    """Pixels drawn over the frame.

    Attributes:
        pixels: ``(n, m, 4)`` RGBA.
        opacity: of all pixels, 0–1.
    """

    pixels: NDArray[np.uint8]
    opacity: float


@dataclass(frozen=True, eq=False)
class Cell:
    """The cell of one stage.

    Attributes:
        stage: the name of the stage.
        title: the name of its layer.
        figure: the attention ratio of the stage in this frame, or what is missing, in words.
        heat: the heat in this frame; None if there is none.
        is_shown: whether the canvas shows this stage too.
        own_mask: drawn instead of the masks of the picture; None in all cells of the first checkpoint.
    """

    stage: str
    title: str
    figure: str
    heat: Overlay | None
    is_shown: bool
    own_mask: Overlay | None = None
