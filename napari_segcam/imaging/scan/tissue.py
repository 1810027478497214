"""Tissue: find the scan in frames from the pixels alone, and the screen around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from napari_segcam.imaging.scan.screen import LEVEL, Screen, blocks
from napari_segcam.imaging.value_range import to_unit

Mask = NDArray[np.bool_]
Clue = Literal["motion", "fan"]

# A coarse pixel is at least as wide as a stroke of a letter, and averages noise; half a percent of the frame's side.
_COARSE_SIDE = 200
_LONGEST_SIDE = 1400  # pixels: in larger frames only every second or third pixel is used
_MAJORITY = 5  # coarse pixels: a pixel counts if most of the square around it does; most text does not
# Half the thickness of parts too thin for a fan (lines of text, gray bars, rulers, traces), as a share of the side.
_HALF_THICKNESS = 1 / 66
_SCREEN_IN_TISSUE = 0.25  # largest share of the screen's colors in a square of tissue
_SCREEN_IN_MARKS = 0.9  # largest share of them in a square that is not empty
_SCREEN_IN_TEXT = 0.6  # smallest share of them, in each frame, in a square with text or a trace
_HAZE = 6 * LEVEL  # brightness that lossy compression leaves on the screen around strokes
_SMALLEST = 0.05  # of the frame's area: smaller parts are logos, previews or menus
_ALL = 0.97  # of a side or the area: a part as large as this cannot be distinguished from the screen
_MUCH_LARGER = 1.5
_FLAT_AT_MOST = 0.7  # of the area of a scan; the rest is speckle
_DIMMEST = 0.85  # smallest share of the scan that is brighter than the haze of compression
_SECOND = 0.5  # of the largest part's area: smaller parts beside it are previews
_TRIM = 3  # squares: largest width that is cut off at the edge of the region
_BARE, _BRIGHT = 1, 2
_ALL_BARE = 0.975  # bare share of a row or column that separates text from the scan
_SPARSE = 0.3  # largest bright share of a row or column with text
_STROKE = 0.25  # smallest contrast between text and the screen


@dataclass(frozen=True, eq=False)
class Tissue:
    """Tissue found in the frames of a cine.

    Attributes:
        outline: convex, ``(N, 2)`` rows and columns of its corners on the frame, in pixel-center coordinates.
        step: resolution in frame pixels.
        clue: how it was found: by its motion, or as the largest part that is brighter than the screen.
        squares: its mask, in squares of ``step`` pixels.
        marked: mask of everything but the bare screen, in the same squares.
        levels: for each pixel, or every second or third of a large frame: bare screen, bright, or between.
    """

    outline: NDArray[np.float64]
    step: int
    clue: Clue
    squares: Mask
    marked: Mask
    levels: NDArray[np.uint8]

    def share_in(self, crop: tuple[slice, slice]) -> float:
        """Return the share of the tissue, without its vague boundary, in these rows and columns, 0 to 1."""
        inner = ndimage.binary_erosion(self.squares, border_value=1)
        return float(inner[self._squares_of(crop)].sum() / max(inner.sum(), 1))

    def marked_beside(self, inner: tuple[slice, slice], outer: tuple[slice, slice]) -> float:
        """Return the share of ``outer`` with anything on the screen that is not in ``inner``, 0 to 1."""
        beside = self.marked.copy()
        beside[self._squares_of(inner)] = False
        return float(beside[self._squares_of(outer)].mean())

    def trim(self, crop: tuple[slice, slice], frame_shape: Sequence[int]) -> tuple[slice, slice]:
        """Trim text at the edges of a crop if bare rows or columns separate it from the scan."""
        stride = -(-frame_shape[0] // self.levels.shape[0])
        levels = self.levels[tuple(slice(part.start // stride, -(-part.stop // stride)) for part in crop)]
        reach = _TRIM * self.step // stride
        edges = []
        for part, axis in zip(crop, (1, 0), strict=True):
            is_bare = (levels == _BARE).mean(axis) >= _ALL_BARE
            bright = (levels == _BRIGHT).mean(axis)
            start, stop = (_end_of_text(is_bare[::way][:reach], bright[::way][:reach]) for way in (1, -1))
            edges.append(slice(part.start + start * stride, part.stop - stop * stride))
        return edges[0], edges[1]

    def _squares_of(self, crop: tuple[slice, slice]) -> tuple[slice, slice]:
        rows, columns = (slice(part.start // self.step, -(-part.stop // self.step)) for part in crop)
        return rows, columns


def find_tissue(frames: Iterable[NDArray[np.generic]], value_range: tuple[float, float]) -> Tissue | None:
    """Find the scan in frames of one cine; None if nothing in them looks like one, or everything does.

    The screen around the scan does not move. So the scan is the largest moving part, with all connected parts that are
    brighter than the screen, since tissue may be still too. If nothing moves, it is the largest part that is brighter
    than the screen. Text, rulers, gray bars and traces do not count, as they are thin.

    Args:
        frames: of one shape, preferably far apart in time; each ``(Y, X)`` or ``(Y, X, 3)``, any real dtype.
        value_range: the values of black and white.
    """
    grays: list[NDArray[np.float32]] = []
    stride = 1
    for frame in frames:
        stride = -(-max(frame.shape[:2]) // _LONGEST_SIDE)
        grays.append(_gray(frame[::stride, ::stride], value_range))
    if not grays:
        return None
    step = -(-max(grays[0].shape) // _COARSE_SIDE)
    mean: NDArray[np.float32] = np.asarray(np.mean(grays, axis=0, dtype=np.float32))
    screen = Screen(mean, step)
    text = _find_text(grays, screen, step)
    moving = _majority((np.std([blocks(gray, step).mean(2) for gray in grays], axis=0) > LEVEL / 2) & ~text)
    region, clue = _find_region(screen, mean, moving, text)
    if haze := screen.haze_around(text, mean):
        # Remove the haze of compression around the scan, unless the dark of the scan would be lost too.
        without, _ = _find_region(screen, mean, moving, text, haze)
        region = without if without.sum() > _DIMMEST * region.sum() else region
    if not _SMALLEST <= region.mean() <= _ALL:
        return None
    last = np.array(mean.shape) * stride - 0.5
    step *= stride
    levels = np.where(mean > _STROKE, np.uint8(_BRIGHT), np.uint8(0))
    levels[screen.is_bare(mean)] = _BARE
    marked = (screen.share_in(mean) < _SCREEN_IN_MARKS) & ~screen.is_flat
    return Tissue(np.minimum(_outline(region) * step - 0.5, last), step, clue, region, marked, levels)


def _end_of_text(is_bare: Mask, bright: NDArray[np.float64]) -> int:
    """Return how many rows to trim at an edge: up to the last bare one, if there is text before it."""
    end = int(np.max(np.flatnonzero(is_bare), initial=-1)) + 1
    return end if bright[:end].any() and bright[:end].max() <= _SPARSE else 0


def _find_region(
    screen: Screen, mean: NDArray[np.float32], moving: Mask, text: Mask, haze: float = 0
) -> tuple[Mask, Clue]:
    """Return the squares that show tissue, which may be none, and how they were found."""
    bright = _majority((screen.share_in(mean, haze) < _SCREEN_IN_TISSUE) & ~text & ~screen.is_scale)
    moving_parts = _large(_solid_parts(moving))
    parts = [part for part in _large(_solid_parts(bright)) if screen.is_flat[part].mean() < _FLAT_AT_MOST]
    if moving_parts:
        connected = _solid_parts(bright | moving)
        parts = [part for part in parts if not _spans(part)]
        parts += [_with_still_tissue(part, connected) for part in moving_parts]
    region = np.any(_large(parts) or [np.zeros_like(bright)], axis=0)
    return region, "motion" if moving_parts else "fan"


def _gray(frame: NDArray[np.generic], value_range: tuple[float, float]) -> NDArray[np.float32]:
    """Convert a frame to gray ``(Y, X)``, black 0 and white 1; all colors count the same, as in Doppler overlays."""
    pixels = to_unit(frame, *value_range)
    return (pixels[..., 0] + pixels[..., 1] + pixels[..., 2]) / np.float32(3) if pixels.ndim == 3 else pixels


def _find_text(grays: Sequence[NDArray[np.float32]], screen: Screen, step: int) -> Mask:
    """Find squares that show the screen in each frame, except for thin strokes and the haze around them.

    These are text, rulers and traces, which may move.
    """
    mostly_screen = np.mean([screen.share_in(gray, _HAZE) for gray in grays], axis=0) > _SCREEN_IN_TEXT
    contrast = np.max([np.ptp(blocks(gray, step), axis=2) for gray in grays], axis=0)
    strokes = mostly_screen & (contrast > _STROKE)
    return np.asarray(strokes | (ndimage.binary_dilation(strokes, iterations=2) & mostly_screen))


def _majority(mask: Mask) -> Mask:
    share: NDArray[np.float32] = ndimage.uniform_filter(mask.astype(np.float32), _MAJORITY)
    return share > 0.5


def _solid_parts(mask: Mask) -> list[Mask]:
    """Return the connected parts of a mask, cut where it is thin, with holes filled."""
    radius = max(mask.shape) * _HALF_THICKNESS
    # The frame's edge is not an edge of the scan.
    depth = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    cores, count = ndimage.label(depth > radius)
    parts = []
    for number in range(1, count + 1):
        # Grown a little beyond the original size, for the corners of a fan.
        grown = (ndimage.distance_transform_edt(cores != number) <= 1.5 * radius + 0.5) & mask
        parts.append(ndimage.binary_fill_holes(grown))
    return parts


def _large(parts: Sequence[Mask]) -> list[Mask]:
    """Return the largest part, and those that are not much smaller, as on a screen with two scans."""
    largest = max((np.count_nonzero(part) for part in parts), default=0)
    return [part for part in parts if np.count_nonzero(part) >= max(_SECOND * largest, _SMALLEST / 2 * part.size)]


def _with_still_tissue(moving: Mask, connected: Sequence[Mask]) -> Mask:
    """Add connected still tissue to a moving part, unless it is a screen that is not black."""
    largest = max(connected, key=lambda part: np.count_nonzero(part & moving))
    return moving if _spans(largest) and largest.sum() > _MUCH_LARGER * moving.sum() else largest


def _spans(part: Mask) -> bool:
    return bool(part.any(0).mean() > _ALL and part.any(1).mean() > _ALL)


def _outline(region: Mask) -> NDArray[np.float64]:
    """Return the corners of the convex hull ``(N, 2)``, relative to the corner of the first pixel."""
    pixels = np.argwhere(region ^ ndimage.binary_erosion(region))
    corners = (pixels[:, None] + [[0, 0], [0, 1], [1, 0], [1, 1]]).reshape(-1, 2).astype(float)
    hull: NDArray[np.float64] = corners[ConvexHull(corners).vertices]
    return hull
