"""Regions M: which pixels of a frame a target explains.

A region is a bool array drawn by the user, a word, or one of the kinds below, which are worked out on the frame's own
grid from the mask that the network found. All coordinates are (row, column) in frame pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import polygon2mask

from napari_segcam.errors import SegcamError

Drawn = NDArray[np.bool_]
Word = Literal["mask", "image"]
WORDS: tuple[Word, ...] = ("mask", "image")


@runtime_checkable
class Region(Protocol):
    """A rule that makes a region of what the network found."""

    def pixels(self, found: Drawn) -> Drawn:
        """The region ``(Y, X)``, given the mask of the explained class ``(Y, X)``.

        Raises:
            SegcamError: if the region does not go with the frame.
        """


@dataclass(frozen=True)
class Component:
    """The connected part of the predicted mask at a place, or the largest part."""

    at: tuple[int, int] | None = None

    def pixels(self, found: Drawn) -> Drawn:
        labels, count = ndimage.label(found, structure=np.ones((3, 3)))
        if self.at is not None:
            _must_be_inside(self.at, found.shape)
            wanted = labels[self.at]
        else:
            wanted = np.bincount(labels.ravel(), minlength=2)[1:].argmax() + 1 if count else 0
        return (labels == wanted) & found


@dataclass(frozen=True)
class Pixel:
    """A single pixel."""

    row: int
    column: int

    def pixels(self, found: Drawn) -> Drawn:
        _must_be_inside((self.row, self.column), found.shape)
        region = np.zeros_like(found)
        region[self.row, self.column] = True
        return region


@dataclass(frozen=True)
class Box:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, without the last ones; clipped to the frame."""

    top: int
    left: int
    bottom: int
    right: int

    def pixels(self, found: Drawn) -> Drawn:
        region = np.zeros_like(found)
        region[max(self.top, 0) : max(self.bottom, 0), max(self.left, 0) : max(self.right, 0)] = True
        return region


@dataclass(frozen=True)
class Polygon:
    """The pixels whose centers lie in a polygon with these corners."""

    corners: Sequence[tuple[float, float]]

    def __post_init__(self) -> None:
        if len(self.corners) < 3:
            raise SegcamError(f"A polygon needs at least three corners, but this one has {len(self.corners)}.")

    def pixels(self, found: Drawn) -> Drawn:
        inside: Drawn = polygon2mask(found.shape, np.asarray(self.corners, dtype=float))
        return inside


@dataclass(frozen=True)
class Boundary:
    """A band along the predicted mask's edge, reaching ``width`` pixels inwards and outwards."""

    width: int = 3

    def pixels(self, found: Drawn) -> Drawn:
        inwards = ndimage.distance_transform_edt(found)
        outwards = ndimage.distance_transform_edt(~found) if found.any() else np.full(found.shape, np.inf)
        return ((inwards > 0) & (inwards <= self.width)) | ((outwards > 0) & (outwards <= self.width))


@dataclass(frozen=True, eq=False)
class FalsePositive:
    """Where the network found the class and the truth ``(Y, X)`` has none."""

    truth: NDArray[Any]

    def pixels(self, found: Drawn) -> Drawn:
        return found & ~_truth(self.truth, found.shape)


@dataclass(frozen=True, eq=False)
class FalseNegative:
    """Where the truth ``(Y, X)`` has the class and the network did not find it."""

    truth: NDArray[Any]

    def pixels(self, found: Drawn) -> Drawn:
        return ~found & _truth(self.truth, found.shape)


@dataclass(frozen=True, eq=False)
class Painted:
    """What was drawn, as a bool array ``(Y, X)``, and what it is called in the provenance."""

    drawing: NDArray[Any]
    name: str = "drawn"

    def __post_init__(self) -> None:
        if np.ndim(self.drawing) != 2:
            raise SegcamError(f"A region must be a (Y, X) array, but this one has the shape {np.shape(self.drawing)}.")
        object.__setattr__(self, "drawing", np.array(self.drawing, dtype=bool))  # a copy: drawing may go on

    def pixels(self, found: Drawn) -> Drawn:
        if self.drawing.shape != found.shape:
            raise SegcamError(f"The region has the shape {self.drawing.shape}, but the frame has {found.shape}.")
        return self.drawing


def _truth(truth: NDArray[Any], shape: tuple[int, ...]) -> Drawn:
    truth = np.asarray(truth, dtype=bool)
    if truth.shape != shape:
        raise SegcamError(f"The truth has the shape {truth.shape}, but the frame has {shape}.")
    return truth


def _must_be_inside(at: tuple[int, int], shape: tuple[int, ...]) -> None:
    if not all(0 <= place < length for place, length in zip(at, shape, strict=True)):
        raise SegcamError(f"The place {at} lies outside the frame of {shape[0]}×{shape[1]} pixels.")
