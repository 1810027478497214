"""Burned-in search: what a scanner wrote into the region that a copy keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.burned_in.finding import find_graphics
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.geometry import Crop

MOST_SEARCHED = 48
"""Frames of a cine that are searched; a longer cine is searched at even distances."""


@dataclass(frozen=True)
class BurnedIn:
    """What was found in the region that stays.

    Attributes:
        kinds: how many graphics of each kind the frame with the most of them has.
        frame: its number; None if nothing was found.
        searched: number of frames that were searched.
        total: number of frames.
    """

    kinds: tuple[tuple[str, int], ...]
    frame: int | None
    searched: int
    total: int

    @property
    def is_found(self) -> bool:
        """Whether anything was found."""
        return self.frame is not None

    @property
    def is_complete(self) -> bool:
        """Whether all frames were searched."""
        return self.searched == self.total

    @property
    def words(self) -> str:
        """What was found, in a sentence."""
        if self.frame is not None:
            kinds = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in self.kinds)
            where = f" in frame {self.frame}" if self.total > 1 else ""
            return f"Burned into the pixels that stay{where}: {kinds}. Look at them before you share the copy."
        frames = "" if self.total == 1 else f" in {self.searched} of {self.total} frames"
        return f"No burned-in graphics were found in the pixels that stay{frames}; faint ones are not found."


def find_burned_in(cine: Cine, crop: Crop | None, cancelled: Callable[[], bool] = lambda: False) -> BurnedIn:
    """Search the frames of a cine for graphics in the region that stays.

    Frames that cannot be decoded count as not searched.

    Args:
        cine: to search.
        crop: rows and columns that stay; None for all.
        cancelled: returns whether to stop.
    """
    numbers = np.unique(np.linspace(0, len(cine) - 1, min(len(cine), MOST_SEARCHED)).round().astype(int))
    most: Counter[str] = Counter()
    frame, searched = None, 0
    for number in map(int, numbers):
        if cancelled():
            break
        try:
            graphics = find_graphics(cine[number], cine)
        except SegcamError:
            continue
        searched += 1
        kinds = Counter(part.kind for part in graphics.parts if _is_inside(part.box, part.pixels, crop))
        if kinds.total() > most.total():
            most, frame = Counter({str(kind): count for kind, count in kinds.items()}), number
    return BurnedIn(tuple(most.most_common()), frame, searched, len(cine))


def _is_inside(box: Crop, pixels: np.ndarray, crop: Crop | None) -> bool:
    """Whether any pixel of a graphic is in the region."""
    if crop is None:
        return True
    (rows, columns), (top, left) = crop, (box[0].start, box[1].start)
    inside = pixels[
        max(0, rows.start - top) : max(0, rows.stop - top), max(0, columns.start - left) : max(0, columns.stop - left)
    ]
    return bool(inside.any())
