"""Scan region: the part of the frames that shows tissue, so that the network does not see the screen around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine, Frame
from napari_segcam.imaging.geometry import Crop
from napari_segcam.imaging.scan.tissue import Tissue, find_tissue

Source = Literal["dicom", "motion", "fan", "drawn", "whole frame"]
CropWord = Literal["auto", "none"]

_FRAMES = 12  # more frames find no more motion
# Limits at which the pixels contradict a file's own region: shares of the tissue, frame, scan's area, and region.
_CUT_OFF = 0.015
_WHOLE_SCREEN = 0.9
_FAR_TOO_LARGE = 2.0
_TOO_LARGE = 1.15
_MARKED = 0.01
_WHOLE = (
    "Nothing around the scan was recognized as the screen, so the network sees the whole frame. If there is writing "
    "beside the scan, draw the region, or give it in pixels."
)


# Several callers need the region in one run, and finding it takes up to a second.
_REGIONS: WeakKeyDictionary[Cine, ScanRegion] = WeakKeyDictionary()
_TISSUE: WeakKeyDictionary[Cine, NDArray[np.bool_]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class ScanRegion:
    """Part of a cine's frames that shows tissue, and where it comes from.

    Attributes:
        crop: rows and columns, as ``Explainer`` takes them.
        outline: the corners ``(N, 2)`` of a polygon to draw, rows and columns in pixel-center coordinates.
        source: ``"dicom"``, the file's own region; ``"motion"``, the moving part of the image; ``"fan"``, the large
            part that is brighter than the screen; ``"drawn"`` by the user; ``"whole frame"`` if nothing was found.
        note: what the user should know about it, in a sentence; may be empty.
        fan: the corners ``(N, 2)`` of the convex tissue that the pixels show, also where the file has a region, which
            is a rectangle; None where it was not found.
    """

    crop: Crop
    outline: NDArray[np.float64]
    source: Source
    note: str = ""
    fan: NDArray[np.float64] | None = None

    @classmethod
    def drawn(cls, vertices: ArrayLike, frame_shape: Sequence[int]) -> ScanRegion:
        """Return the region that the user drew: the bounding rectangle of all pixels that the drawing touches.

        Args:
            vertices: ``(N, 2)`` rows and columns of a rectangle or polygon, in pixel-center coordinates; parts outside
                the frame are cut off.
            frame_shape: ``(Y, X)`` or ``(Y, X, 3)``.

        Raises:
            SegcamError: if there are fewer than three corners, or the drawing is completely outside the frame.
        """
        corners = np.array(vertices, dtype=float)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
            raise SegcamError("The region of the scan must be a rectangle or a polygon of at least three corners.")
        crop = _around(corners, frame_shape)
        if any(part.start >= part.stop for part in crop):
            raise SegcamError("The drawn region of the scan is outside the frame. Draw it over the image.")
        return cls(crop, corners, "drawn")

    @classmethod
    def whole(cls, frame_shape: Sequence[int]) -> ScanRegion:
        """Return the whole frame as the region."""
        crop = slice(0, frame_shape[0]), slice(0, frame_shape[1])
        return cls(crop, _rectangle(crop), "whole frame", _WHOLE)


def find_scan_region(cine: Cine) -> ScanRegion:
    """Find the region of the scan: the DICOM file's own, else the one visible in the image, else the whole frame.

    The file's own region is used unless the pixels contradict it: it cuts off tissue (some software crops or scales
    frames but not the region), or it holds more than the scan (such as the whole screen). This looks at up to 12 frames
    over the whole cine, once; frames that cannot be decoded are skipped.
    """
    region = _REGIONS.get(cine)
    if region is None:
        region = _REGIONS[cine] = _find(cine)
    return region


def known_scan(cine: Cine) -> Crop | None:
    """Return the rows and columns that show the scan; None where nothing but the whole frame was found."""
    region = find_scan_region(cine)
    return None if region.source == "whole frame" else region.crop


def known_tissue(cine: Cine) -> NDArray[np.bool_] | None:
    """Return the pixels that show the scan, ``(Y, X)``: of its region, those in the fan; None where it is not known."""
    region = find_scan_region(cine)
    if region.source == "whole frame":
        return None
    pixels = _TISSUE.get(cine)
    if pixels is None:
        pixels = np.zeros(cine.frame_shape[:2], np.bool_)
        pixels[region.crop] = True
        if region.fan is not None:
            pixels &= _convex(region.fan, cine.frame_shape)
        _TISSUE[cine] = pixels
    return pixels


def _convex(corners: NDArray[np.float64], frame_shape: Sequence[int]) -> NDArray[np.bool_]:
    """Return the pixels whose centers are in a convex polygon, ``(Y, X)``."""
    rows, columns = np.mgrid[: frame_shape[0], : frame_shape[1]]
    after = np.roll(corners, -1, axis=0)
    turn = np.sign(np.sum(corners[:, 0] * after[:, 1] - after[:, 0] * corners[:, 1])) or 1.0
    inside = np.ones(frame_shape[:2], np.bool_)
    for (row, column), (next_row, next_column) in zip(corners, after, strict=True):
        side = (next_row - row) * (columns - column) - (next_column - column) * (rows - row)
        inside &= turn * side >= 0
    return inside


def _find(cine: Cine) -> ScanRegion:
    tissue = find_tissue(_sample_frames(cine), cine.value_range)
    visible = None
    if tissue is not None:
        visible = tissue.trim(_around(tissue.outline, cine.frame_shape, margin=tissue.step), cine.frame_shape)
    if cine.region is not None:
        fault = "" if tissue is None or visible is None else _fault_of(cine.region, tissue, visible, cine.frame_shape)
        if tissue is None or visible is None or not fault:
            fan = None if tissue is None else tissue.outline
            return ScanRegion(cine.region, _rectangle(cine.region), "dicom", fan=fan)
        note = f"The region of the scan in the file {fault}: the one visible in the image is used instead."
        return ScanRegion(visible, _clip(tissue.outline, visible), tissue.clue, note, tissue.outline)
    if tissue is None or visible is None:
        return ScanRegion.whole(cine.frame_shape)
    return ScanRegion(visible, _clip(tissue.outline, visible), tissue.clue, fan=tissue.outline)


def _fault_of(region: Crop, tissue: Tissue, visible: Crop, frame_shape: Sequence[int]) -> str:
    """Return what is wrong with a file's own region, in words that follow "the region"; empty if nothing is."""
    if tissue.share_in(region) < 1 - _CUT_OFF:
        return "cuts off tissue"
    share = _area(region) / (frame_shape[0] * frame_shape[1])
    excess = _area(region) / _area(visible)
    if (share > _WHOLE_SCREEN and excess > 1 / _WHOLE_SCREEN) or excess > _FAR_TOO_LARGE:
        return "is far larger than the scan"
    if excess > _TOO_LARGE and tissue.marked_beside(visible, region) > _MARKED:
        return "holds more than the scan"
    return ""


def parse_crop(text: str) -> CropWord | Crop:
    """Parse a crop from the words of a user.

    Args:
        text: ``"auto"`` for the region of the scan, ``"none"``, or ``"LEFT,TOP,RIGHT,BOTTOM"`` in pixels, without the
            last row and column.

    Raises:
        SegcamError: if it is none of these.
    """
    if text == "auto":
        return "auto"
    if text == "none":
        return "none"
    edges = [part.strip() for part in text.split(",")]
    if len(edges) != 4 or not all(edge.isdecimal() for edge in edges):
        raise SegcamError(
            f"The crop {text} is not understood: give 'auto', 'none', or four numbers of pixels, LEFT,TOP,RIGHT,BOTTOM."
        )
    left, top, right, bottom = map(int, edges)
    return slice(top, bottom), slice(left, right)


def crop_for(text: str, cine: Cine) -> Crop | None:
    """Return the crop of a cine's frames from the words of a user, as in ``parse_crop``; None for no crop.

    Raises:
        SegcamError: as ``parse_crop``.
    """
    crop = parse_crop(text)
    if crop == "auto":
        return find_scan_region(cine).crop
    return None if crop == "none" else crop


def _sample_frames(cine: Cine) -> Iterator[Frame]:
    """Yield up to 12 frames from the first to the last."""
    for index in np.unique(np.linspace(0, len(cine) - 1, _FRAMES).round().astype(int)):
        with suppress(SegcamError):
            yield cine[int(index)]


def _around(corners: NDArray[np.float64], frame_shape: Sequence[int], margin: int = 0) -> Crop:
    """Return the bounding rectangle of a polygon within the frame, with a margin in pixels."""
    (top, left), (bottom, right) = np.floor(corners.min(0) + 0.5) - margin, np.ceil(corners.max(0) + 0.5) + margin
    rows = slice(max(int(top), 0), min(int(bottom), frame_shape[0]))
    return rows, slice(max(int(left), 0), min(int(right), frame_shape[1]))


def _rectangle(crop: Crop) -> NDArray[np.float64]:
    """Return the corners of a crop along the outer edges of its pixels, clockwise from the top left."""
    (top, bottom), (left, right) = ((part.start - 0.5, part.stop - 0.5) for part in crop)
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)])


def _clip(outline: NDArray[np.float64], crop: Crop) -> NDArray[np.float64]:
    """Clip an outline to the edges of a crop."""
    first, last = (np.array([getattr(part, end) for part in crop]) - 0.5 for end in ("start", "stop"))
    return np.clip(outline, first, last)


def _area(crop: Crop) -> int:
    rows, columns = (part.stop - part.start for part in crop)
    return rows * columns
