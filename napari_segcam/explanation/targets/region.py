"""Regions M: the pixels of a frame that a target explains.

A region is a bool array drawn by the user, a name, or one of the kinds below, which are computed on the frame's own
grid from the predicted mask. All coordinates are (row, column) in frame pixels.
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

Mask = NDArray[np.bool_]
RegionName = Literal["mask", "image"]
REGION_NAMES: tuple[RegionName, ...] = ("mask", "image")


@runtime_checkable
class Region(Protocol):
    """Rule that turns the predicted mask into a region."""

    def pixels(self, mask: Mask) -> Mask:
        """Return the region ``(Y, X)`` for the predicted mask of the explained class ``(Y, X)``.

        Raises:
            SegcamError: if the region does not fit the frame.
        """


@dataclass(frozen=True)
class Component:
    """Connected component of the predicted mask at a pixel, or the largest component."""

    at: tuple[int, int] | None = None

    def pixels(self, mask: Mask) -> Mask:
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        if self.at is not None:
            _must_be_inside(self.at, mask.shape)
            label = labels[self.at]
        else:
            label = np.bincount(labels.ravel(), minlength=2)[1:].argmax() + 1 if count else 0
        return (labels == label) & mask


@dataclass(frozen=True)
class At:
    """Connected component of the predicted mask at a pixel; where the mask is empty, a disk around the pixel.

    The disk holds the pixels outside the mask whose centers are within ``radius`` pixels: it asks why the class was not
    found there. A single pixel would be no stable question, since its gradient depends on where it is on the grids of
    the strided stages. On the sample, maps of two points a pixel apart had a Spearman correlation of −0.75 at worst for
    single pixels, and of 0.43 for disks of radius 6 (8 points, 10 stages; the medians are 0.96 and 0.98).
    """

    row: int
    column: int
    radius: int = 6

    def is_found(self, mask: Mask) -> bool:
        """Return whether the class was found at the pixel, so that the region is a component of its mask."""
        _must_be_inside((self.row, self.column), mask.shape)
        return bool(mask[self.row, self.column])

    def pixels(self, mask: Mask) -> Mask:
        if self.is_found(mask):
            return Component((self.row, self.column)).pixels(mask)
        rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
        disk = (rows - self.row) ** 2 + (columns - self.column) ** 2 <= self.radius**2
        return np.asarray(disk & ~mask)


@dataclass(frozen=True)
class Pixel:
    """Single pixel."""

    row: int
    column: int

    def pixels(self, mask: Mask) -> Mask:
        _must_be_inside((self.row, self.column), mask.shape)
        region = np.zeros_like(mask)
        region[self.row, self.column] = True
        return region


@dataclass(frozen=True)
class Box:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, without the last ones; clipped to the frame."""

    top: int
    left: int
    bottom: int
    right: int

    def pixels(self, mask: Mask) -> Mask:
        region = np.zeros_like(mask)
        region[max(self.top, 0) : max(self.bottom, 0), max(self.left, 0) : max(self.right, 0)] = True
        return region


@dataclass(frozen=True)
class Polygon:
    """Pixels whose centers are in a polygon with these corners."""

    corners: Sequence[tuple[float, float]]

    def __post_init__(self) -> None:
        if len(self.corners) < 3:
            raise SegcamError(f"A polygon needs at least three corners, but this one has {len(self.corners)}.")

    def pixels(self, mask: Mask) -> Mask:
        inside: Mask = polygon2mask(mask.shape, np.asarray(self.corners, dtype=float))
        return inside


@dataclass(frozen=True)
class Boundary:
    """Band along the predicted mask's edge, ``width`` pixels wide on each side."""

    width: int = 3

    def pixels(self, mask: Mask) -> Mask:
        inward = ndimage.distance_transform_edt(mask)
        outward = ndimage.distance_transform_edt(~mask) if mask.any() else np.full(mask.shape, np.inf)
        return ((inward > 0) & (inward <= self.width)) | ((outward > 0) & (outward <= self.width))


@dataclass(frozen=True, eq=False)
class FalsePositive:
    """Pixels where the network finds the class and the truth ``(Y, X)`` does not have it."""

    truth: NDArray[Any]

    def pixels(self, mask: Mask) -> Mask:
        return mask & ~_checked_truth(self.truth, mask.shape)


@dataclass(frozen=True, eq=False)
class FalseNegative:
    """Pixels where the truth ``(Y, X)`` has the class and the network does not find it."""

    truth: NDArray[Any]

    def pixels(self, mask: Mask) -> Mask:
        return ~mask & _checked_truth(self.truth, mask.shape)


@dataclass(frozen=True, eq=False)
class Painted:
    """Region drawn by the user, as a bool array ``(Y, X)``, with its name for the provenance."""

    drawing: NDArray[Any]
    name: str = "drawn"

    def __post_init__(self) -> None:
        if np.ndim(self.drawing) != 2:
            raise SegcamError(f"A region must be a (Y, X) array, but this one has the shape {np.shape(self.drawing)}.")
        object.__setattr__(self, "drawing", np.array(self.drawing, dtype=bool))  # a copy: the user may still be drawing

    def pixels(self, mask: Mask) -> Mask:
        if self.drawing.shape != mask.shape:
            raise SegcamError(f"The region has the shape {self.drawing.shape}, but the frame has {mask.shape}.")
        return self.drawing


def _checked_truth(truth: NDArray[Any], shape: tuple[int, ...]) -> Mask:
    truth = np.asarray(truth, dtype=bool)
    if truth.shape != shape:
        raise SegcamError(f"The truth has the shape {truth.shape}, but the frame has {shape}.")
    return truth


def _must_be_inside(at: tuple[int, int], shape: tuple[int, ...]) -> None:
    if not all(0 <= coordinate < length for coordinate, length in zip(at, shape, strict=True)):
        raise SegcamError(f"The pixel {at} is outside the frame of {shape[0]}×{shape[1]} pixels.")
