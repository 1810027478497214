"""Scan region: the part of the frames that shows tissue, so that the network need not see the screen around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine, Frame
from napari_segcam.imaging.geometry import Crop
from napari_segcam.imaging.scan_search import find_tissue

Source = Literal["dicom", "motion", "fan", "drawn", "whole frame"]

_FRAMES = 12  # more of them find no more motion


@dataclass(frozen=True, eq=False)
class ScanRegion:
    """Which part of a cine's frames shows tissue, and who says so.

    Attributes:
        crop: rows and columns to cut out, as ``Explainer`` takes them.
        outline: the corners ``(N, 2)`` of a polygon to draw, rows and columns in pixel-centre coordinates.
        source: ``"dicom"``, the file's own region; found in the image, ``"motion"`` as what moves or ``"fan"`` as the
            large thing brighter than the screen; ``"drawn"`` by the user; ``"whole frame"`` where nothing was found.
    """

    crop: Crop
    outline: NDArray[np.float64]
    source: Source

    @classmethod
    def drawn(cls, vertices: ArrayLike, frame_shape: Sequence[int]) -> ScanRegion:
        """What the user drew: the pixels that a rectangle or polygon touches, and all in the rectangle around them.

        Args:
            vertices: ``(N, 2)`` rows and columns, in pixel-centre coordinates; what lies outside the frame is cut off.
            frame_shape: ``(Y, X)`` or ``(Y, X, 3)``.

        Raises:
            SegcamError: if there are fewer than three corners, or none of the drawing lies in the frame.
        """
        corners = np.array(vertices, dtype=float)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
            raise SegcamError("The region of the scan must be a rectangle or a polygon of at least three corners.")
        crop = _around(corners, frame_shape)
        if any(part.start >= part.stop for part in crop):
            raise SegcamError("The drawn region of the scan lies outside of the frame. Draw it over the image.")
        return cls(crop, corners, "drawn")

    @classmethod
    def whole(cls, frame_shape: Sequence[int]) -> ScanRegion:
        """The whole frame."""
        crop = slice(0, frame_shape[0]), slice(0, frame_shape[1])
        return cls(crop, _rectangle(crop), "whole frame")


def find_scan_region(cine: Cine) -> ScanRegion:
    """Find the region of the scan: the DICOM file's own, or else what the image shows, or else the whole frame.

    The file's own region is taken unless most of what looks like tissue lies outside of it, as after a frame was cut
    or moved by software that left the region as it was. Looks at no more than 12 frames, spread over the cine; a frame
    that cannot be decoded is passed over.
    """
    tissue = find_tissue(_spread_frames(cine), cine.value_range)
    found = None if tissue is None else _around(tissue.outline, cine.frame_shape, margin=tissue.step)
    if cine.region is not None and (found is None or _share_inside(found, cine.region) > 0.5):
        return ScanRegion(cine.region, _rectangle(cine.region), "dicom")
    if tissue is None or found is None:
        return ScanRegion.whole(cine.frame_shape)
    return ScanRegion(found, tissue.outline, tissue.clue)


def parse_crop(text: str, cine: Cine) -> Crop | None:
    """What a user's word for a crop means for a cine; None is no crop.

    Args:
        text: ``"auto"`` for the region of the scan, ``"none"``, or ``"LEFT,TOP,RIGHT,BOTTOM"`` in pixels, without the
            last row and column.
        cine: whose frames are to be cropped.

    Raises:
        SegcamError: if it is none of these.
    """
    if text == "none":
        return None
    if text == "auto":
        return find_scan_region(cine).crop
    edges = [part.strip() for part in text.split(",")]
    if len(edges) != 4 or not all(edge.isdecimal() for edge in edges):
        raise SegcamError(
            f"The crop {text} is not understood: give 'auto', 'none', or four numbers of pixels, LEFT,TOP,RIGHT,BOTTOM."
        )
    left, top, right, bottom = map(int, edges)
    return slice(top, bottom), slice(left, right)


def _spread_frames(cine: Cine) -> Iterator[Frame]:
    """Up to 12 frames from the first to the last."""
    for index in np.unique(np.linspace(0, len(cine) - 1, _FRAMES).round().astype(int)):
        with suppress(SegcamError):
            yield cine[int(index)]


def _around(corners: NDArray[np.float64], frame_shape: Sequence[int], margin: int = 0) -> Crop:
    """The pixels of the frame that the rectangle around a polygon touches, and a margin of pixels more."""
    (top, left), (bottom, right) = np.floor(corners.min(0) + 0.5) - margin, np.ceil(corners.max(0) + 0.5) + margin
    rows = slice(max(int(top), 0), min(int(bottom), frame_shape[0]))
    return rows, slice(max(int(left), 0), min(int(right), frame_shape[1]))


def _rectangle(crop: Crop) -> NDArray[np.float64]:
    """The corners of a crop along the outer edges of its pixels, clockwise from the top left."""
    (top, bottom), (left, right) = ((part.start - 0.5, part.stop - 0.5) for part in crop)
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)])


def _share_inside(part: Crop, whole: Crop) -> float:
    """How much of the area of one rectangle another one covers."""
    sides = [
        max(0, min(one.stop, other.stop) - max(one.start, other.start)) / (one.stop - one.start)
        for one, other in zip(part, whole, strict=True)
    ]
    return sides[0] * sides[1]
