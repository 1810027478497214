"""Scan search: where in a frame the tissue is, and where only the screen around it, judged from the pixels alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from napari_segcam.imaging.scan.background import LEVEL, Screen, blocks
from napari_segcam.imaging.value_range import to_unit

Mask = NDArray[np.bool_]
Clue = Literal["motion", "fan"]

# A coarse pixel is as wide as a stroke of a letter or more, and averages the noise; half a per cent of the frame.
_COARSE_SIDE = 200
_LONGEST_SIDE = 1400  # pixels: of larger frames every second or third is looked at
_MAJORITY = 5  # coarse pixels: a spot counts if most of the square around it does, which most of a text does not
# Half the thickness of what is too thin for a fan (lines of text, gray bars, rulers, traces), of the longer side.
_HALF_THICKNESS = 1 / 66
_SCREEN_IN_TISSUE = 0.25  # of a square of tissue shows the screen's colors at most
_SCREEN_IN_MARKS = 0.9  # of a square that holds anything shows them at most
_SCREEN_IN_TEXT = 0.6  # of a square with writing or a trace shows them in each frame at least
_HAZE = 6 * LEVEL  # that lossy compression leaves on the screen around strokes
_SMALLEST = 0.05  # of the frame's area: what is smaller is a logo, a preview or a menu
_ALL = 0.97  # of a side, or of the area: what takes so much cannot be told from the screen
_MUCH_LARGER = 1.5
_FLAT_AT_MOST = 0.7  # of the area of a scan; the rest is speckle
_DIMMEST = 0.85  # of the scan is brighter than what compression leaves on the screen
_SECOND = 0.5  # of the largest part's area: what is smaller beside it is a preview
_TRIM = 3  # squares: as far from the edge of what was found as anything is cut off
_BARE, _BRIGHT = 1, 2
_ALL_BARE = 0.975  # of a row or column that parts writing from the scan
_SPARSE = 0.3  # of a row or column with writing is bright at most
_STROKE = 0.25  # writing is at least so much brighter or darker than the screen


@dataclass(frozen=True, eq=False)
class Tissue:
    """What was found.

    Attributes:
        outline: convex, ``(N, 2)`` rows and columns of its corners on the frame, in pixel-center coordinates.
        step: how exact it is, in frame pixels.
        clue: what gave it away: its motion, or that it is the largest thing brighter than the screen.
        squares: where it is, in squares of ``step`` pixels.
        marked: where the frame shows anything but the bare screen, likewise.
        levels: of the pixels, whether each is bare screen, bright, or between; of a large frame every second or third.
    """

    outline: NDArray[np.float64]
    step: int
    clue: Clue
    squares: Mask
    marked: Mask
    levels: NDArray[np.uint8]

    def share_in(self, crop: tuple[slice, slice]) -> float:
        """How much of it, except for its vague rim, is in these rows and columns of the frame, 0 to 1."""
        inner = ndimage.binary_erosion(self.squares, border_value=1)
        return float(inner[self._squares_of(crop)].sum() / max(inner.sum(), 1))

    def marked_beside(self, inner: tuple[slice, slice], outer: tuple[slice, slice]) -> float:
        """How much of ``outer`` shows something that is not within ``inner``, 0 to 1."""
        beside = self.marked.copy()
        beside[self._squares_of(inner)] = False
        return float(beside[self._squares_of(outer)].mean())

    def trimmed(self, crop: tuple[slice, slice], frame_shape: Sequence[int]) -> tuple[slice, slice]:
        """A crop without writing at its edges, from which rows or columns that are bare all along part the scan."""
        thinned = -(-frame_shape[0] // self.levels.shape[0])
        levels = self.levels[tuple(slice(part.start // thinned, -(-part.stop // thinned)) for part in crop)]
        reach = _TRIM * self.step // thinned
        edges = []
        for part, axis in zip(crop, (1, 0), strict=True):
            is_bare = (levels == _BARE).mean(axis) >= _ALL_BARE
            written = (levels == _BRIGHT).mean(axis)
            start, stop = (_end_of_writing(is_bare[::way][:reach], written[::way][:reach]) for way in (1, -1))
            edges.append(slice(part.start + start * thinned, part.stop - stop * thinned))
        return edges[0], edges[1]

    def _squares_of(self, crop: tuple[slice, slice]) -> tuple[slice, slice]:
        rows, columns = (slice(part.start // self.step, -(-part.stop // self.step)) for part in crop)
        return rows, columns


def find_tissue(frames: Iterable[NDArray[np.generic]], value_range: tuple[float, float]) -> Tissue | None:
    """Find the scan in frames of one cine; None where nothing in them looks like one, or all does.

    The screen around the scan stands still. So the scan is the largest part that moves, with what is connected to it
    and brighter than the screen, since tissue may rest too. Where nothing moves, it is the largest thing brighter than
    the screen. Text, rulers, gray bars and traces do not count, being thin.

    Args:
        frames: of one shape, better far apart in time; each ``(Y, X)`` or ``(Y, X, 3)``, any real dtype.
        value_range: the values that mean black and white.
    """
    grays: list[NDArray[np.float32]] = []
    thinned = 1
    for frame in frames:
        thinned = -(-max(frame.shape[:2]) // _LONGEST_SIDE)
        grays.append(_gray(frame[::thinned, ::thinned], value_range))
    if not grays:
        return None
    step = -(-max(grays[0].shape) // _COARSE_SIDE)
    mean: NDArray[np.float32] = np.asarray(np.mean(grays, axis=0, dtype=np.float32))
    screen = Screen(mean, step)
    written = _written(grays, screen, step)
    moving = _majority((np.std([blocks(gray, step).mean(2) for gray in grays], axis=0) > LEVEL / 2) & ~written)
    region, clue = _region(screen, mean, moving, written)
    if haze := screen.haze_around(written, mean):
        # What compression has left around the scan goes, unless the dark of the scan would go with it.
        without, _ = _region(screen, mean, moving, written, haze)
        region = without if without.sum() > _DIMMEST * region.sum() else region
    if not _SMALLEST <= region.mean() <= _ALL:
        return None
    last = np.array(mean.shape) * thinned - 0.5
    step *= thinned
    levels = np.where(mean > _STROKE, np.uint8(_BRIGHT), np.uint8(0))
    levels[screen.is_bare(mean)] = _BARE
    marked = (screen.share_in(mean) < _SCREEN_IN_MARKS) & ~screen.is_flat
    return Tissue(np.minimum(_outline(region) * step - 0.5, last), step, clue, region, marked, levels)


def _end_of_writing(is_bare: Mask, bright: NDArray[np.float64]) -> int:
    """How many rows to leave out at an edge: up to the last bare one, if there is writing before it."""
    end = int(np.max(np.flatnonzero(is_bare), initial=-1)) + 1
    return end if bright[:end].any() and bright[:end].max() <= _SPARSE else 0


def _region(
    screen: Screen, mean: NDArray[np.float32], moving: Mask, written: Mask, haze: float = 0
) -> tuple[Mask, Clue]:
    """The squares that show tissue, nothing where none do, and what gave them away."""
    bright = _majority((screen.share_in(mean, haze) < _SCREEN_IN_TISSUE) & ~written & ~screen.is_scale)
    moved = _large(_solid_parts(moving))
    found = [part for part in _large(_solid_parts(bright)) if screen.is_flat[part].mean() < _FLAT_AT_MOST]
    if moved:
        wholes = _solid_parts(bright | moving)
        found = [part for part in found if not _spans(part)] + [_with_what_rests(part, wholes) for part in moved]
    region = np.any(_large(found) or [np.zeros_like(bright)], axis=0)
    return region, "motion" if moved else "fan"


def _gray(frame: NDArray[np.generic], value_range: tuple[float, float]) -> NDArray[np.float32]:
    """``(Y, X)``, black 0 and white 1; every color counts alike, since Doppler overlays come in all of them."""
    pixels = to_unit(frame, *value_range)
    return (pixels[..., 0] + pixels[..., 1] + pixels[..., 2]) / np.float32(3) if pixels.ndim == 3 else pixels


def _written(grays: Sequence[NDArray[np.float32]], screen: Screen, step: int) -> Mask:
    """Where each frame shows the screen, but for thin strokes and the haze of compression around them.

    Such are texts, rulers and traces, which may run.
    """
    mostly_screen = np.mean([screen.share_in(gray, _HAZE) for gray in grays], axis=0) > _SCREEN_IN_TEXT
    contrast = np.max([np.ptp(blocks(gray, step), axis=2) for gray in grays], axis=0)
    strokes = mostly_screen & (contrast > _STROKE)
    return np.asarray(strokes | (ndimage.binary_dilation(strokes, iterations=2) & mostly_screen))


def _majority(mask: Mask) -> Mask:
    share: NDArray[np.float32] = ndimage.uniform_filter(mask.astype(np.float32), _MAJORITY)
    return share > 0.5


def _solid_parts(mask: Mask) -> list[Mask]:
    """The connected parts of a mask, cut where it is thin, their holes filled."""
    radius = max(mask.shape) * _HALF_THICKNESS
    # The frame's edge is no edge of the scan.
    depth = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    cores, count = ndimage.label(depth > radius)
    parts = []
    for number in range(1, count + 1):
        # A little farther than back to where it was, for the corners of a fan.
        grown = (ndimage.distance_transform_edt(cores != number) <= 1.5 * radius + 0.5) & mask
        parts.append(ndimage.binary_fill_holes(grown))
    return parts


def _large(parts: Sequence[Mask]) -> list[Mask]:
    """The largest part, and those that are not much smaller, as on a screen with two scans."""
    largest = max((np.count_nonzero(part) for part in parts), default=0)
    return [part for part in parts if np.count_nonzero(part) >= max(_SECOND * largest, _SMALLEST / 2 * part.size)]


def _with_what_rests(moving: Mask, wholes: Sequence[Mask]) -> Mask:
    """A moving part with what hangs together with it, unless that is a screen that is not black."""
    whole = max(wholes, key=lambda part: np.count_nonzero(part & moving))
    return moving if _spans(whole) and whole.sum() > _MUCH_LARGER * moving.sum() else whole


def _spans(part: Mask) -> bool:
    return bool(part.any(0).mean() > _ALL and part.any(1).mean() > _ALL)


def _outline(region: Mask) -> NDArray[np.float64]:
    """The corners of the convex hull ``(N, 2)``, counted from the corner of the first pixel."""
    pixels = np.argwhere(region ^ ndimage.binary_erosion(region))
    corners = (pixels[:, None] + [[0, 0], [0, 1], [1, 0], [1, 1]]).reshape(-1, 2).astype(float)
    hull: NDArray[np.float64] = corners[ConvexHull(corners).vertices]
    return hull
