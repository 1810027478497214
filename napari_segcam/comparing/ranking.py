"""The frames in which two checkpoints differ most, kept with their pixels for the pictures of the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_segcam.comparing.mask_comparison import Row
from napari_segcam.imaging.cine import Frame

PICTURES = 8
"""Most pictures of a class."""
_OF_A_CASE = 2  # others of the same cine look alike


@dataclass(frozen=True, eq=False)
class DifferentFrame:
    """A frame in which A and B differ.

    Attributes:
        row: its figures.
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: its values that are black and white.
        pixel_aspect: height of a pixel divided by its width.
        a: mask of A, ``(Y, X)`` bool.
        b: mask of B.
        truth: the true mask; None if it is unknown.
    """

    row: Row
    frame: Frame = field(repr=False)
    value_range: tuple[float, float]
    pixel_aspect: float
    a: NDArray[np.bool_] = field(repr=False)
    b: NDArray[np.bool_] = field(repr=False)
    truth: NDArray[np.bool_] | None = field(repr=False)

    @property
    def rank(self) -> tuple[float, float]:
        return rank_of(self.row)


def rank_of(row: Row) -> tuple[float, float]:
    """Return the key that sorts frames with a Dice: the lowest Dice of A and B first, then the most pixels."""
    return row["dice"], -row["disagreement"]


def most_different(rows: Iterable[Row], count: int | None = None) -> list[Row]:
    """Return the frames whose masks differ, those that differ most first."""
    ranked = sorted((row for row in rows if row["dice"] is not None and row["dice"] < 1), key=rank_of)
    return ranked[:count]


class DifferentFrames:
    """The frames that differ most, of each class: at most ``PICTURES``, and few of the same case."""

    def __init__(self) -> None:
        self._by_class: dict[str, list[DifferentFrame]] = {}

    def add(self, frame: DifferentFrame) -> None:
        """Take a frame if it is among those that differ most."""
        if frame.row["dice"] is None or frame.row["dice"] == 1:
            return
        kept = self._by_class.setdefault(frame.row["class"], [])
        # All cases but one may have fewer frames than their share, so a case keeps as many as there are pictures.
        same = sorted((other for other in kept if other.row["case"] == frame.row["case"]), key=lambda one: one.rank)
        if len(same) >= PICTURES:
            if same[-1].rank <= frame.rank:
                return
            kept.remove(same[-1])
        kept.append(frame)
        kept[:] = _chosen(kept, 2 * PICTURES)

    def add_all(self, others: DifferentFrames) -> None:
        """Take those of another collection that are among the frames that differ most."""
        for frames in others._by_class.values():
            for frame in frames:
                self.add(frame)

    def of_class(self, name: str) -> list[DifferentFrame]:
        """Return the frames to show for a class, those that differ most first."""
        return _chosen(self._by_class.get(name, []), PICTURES)


def _chosen(frames: Iterable[DifferentFrame], count: int) -> list[DifferentFrame]:
    """Return at most so many frames, sorted: first at most two of each case, then others if there is room."""
    ranked = sorted(frames, key=lambda frame: frame.rank)
    taken: dict[str, int] = {}
    first: list[DifferentFrame] = []
    others: list[DifferentFrame] = []
    for frame in ranked:
        taken[frame.row["case"]] = taken.get(frame.row["case"], 0) + 1
        (first if taken[frame.row["case"]] <= _OF_A_CASE else others).append(frame)
    return sorted([*first, *others][:count], key=lambda frame: frame.rank)
