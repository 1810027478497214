"""Scan search: where in a frame the tissue is, and where only the screen around it, judged from the pixels alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from napari_segcam.imaging.value_range import to_unit

Mask = NDArray[np.bool_]
Clue = Literal["motion", "fan"]

# A coarse pixel is as wide as a stroke of a letter or more, and averages the noise; half a per cent of the frame.
_COARSE_SIDE = 200
# Half a gray level of 255: where a scanner shows nothing inside the fan, it is often just one level above the screen.
_LEVEL = 0.5 / 255
_MAJORITY = 5  # coarse pixels: a spot counts if most of the square around it does, which most of a text does not
# Half the thickness of what is too thin for a fan (lines of text, gray bars, rulers, traces), of the longer side.
_HALF_THICKNESS = 1 / 66
_SMALLEST = 0.1  # of the frame's area: what is smaller is a logo, a preview or a menu
_ALL = 0.97  # of a side, or of the area: what takes so much cannot be told from the screen
_MUCH_LARGER = 1.5


@dataclass(frozen=True, eq=False)
class Tissue:
    """What was found.

    Attributes:
        outline: convex, ``(N, 2)`` rows and columns of its corners on the frame, in pixel-centre coordinates.
        step: how exact it is, in frame pixels.
        clue: what gave it away: its motion, or that it is the largest thing brighter than the screen.
    """

    outline: NDArray[np.float64]
    step: int
    clue: Clue


def find_tissue(frames: Iterable[NDArray[np.generic]], value_range: tuple[float, float]) -> Tissue | None:
    """Find the scan in frames of one cine; None where nothing in them looks like one, or all does.

    The screen around the scan stands still. So the scan is the largest part that moves, with what is connected to it
    and brighter than the screen, since tissue may rest too. Where nothing moves, it is the largest thing brighter than
    the screen. Text, rulers, gray bars and traces do not count, being thin.

    Args:
        frames: of one shape, better far apart in time; each ``(Y, X)`` or ``(Y, X, 3)``, any real dtype.
        value_range: the values that mean black and white.
    """
    grays = (_gray(frame, value_range) for frame in frames)
    mean = next(grays, None)
    if mean is None:
        return None
    step = -(-max(mean.shape) // _COARSE_SIDE)
    coarse = [_blocks(mean, step).mean(2)]
    for count, gray in enumerate(grays, start=2):
        mean += (gray - mean) / count
        coarse.append(_blocks(gray, step).mean(2))
    # The lower quartile of a block is black where a letter crosses it, and that of speckle is not.
    lower_quartile = np.partition(_blocks(mean, step), step * step // 4, axis=2)[..., step * step // 4]
    bright = _majority(lower_quartile > np.percentile(lower_quartile, 1) + _LEVEL)
    moving = _majority(np.std(coarse, axis=0) > _LEVEL)

    clue: Clue = "motion"
    region = _largest_solid(moving, moving)
    if region is None:
        clue, region = "fan", _largest_solid(bright, bright)
    else:
        whole = _largest_solid(bright | moving, region)
        if whole is not None and not _is_the_screen(whole, region):
            region = whole
    if region is None or region.mean() > _ALL:
        return None
    last = np.array(mean.shape) - 0.5
    return Tissue(np.minimum(_outline(region) * step - 0.5, last), step, clue)


def _gray(frame: NDArray[np.generic], value_range: tuple[float, float]) -> NDArray[np.float32]:
    """``(Y, X)``, black 0 and white 1; every colour counts alike, since Doppler overlays come in all of them."""
    pixels = to_unit(frame, *value_range)
    return (pixels[..., 0] + pixels[..., 1] + pixels[..., 2]) / np.float32(3) if pixels.ndim == 3 else pixels


def _blocks(image: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """The pixels of each square block ``(Y / step, X / step, step²)``; a remainder at the frame's end is left out."""
    rows, columns = image.shape[0] // step, image.shape[1] // step
    squares = image[: rows * step, : columns * step].reshape(rows, step, columns, step)
    return squares.transpose(0, 2, 1, 3).reshape(rows, columns, step * step)


def _majority(mask: Mask) -> Mask:
    share: NDArray[np.float32] = ndimage.uniform_filter(mask.astype(np.float32), _MAJORITY)
    return share > 0.5


def _largest_solid(mask: Mask, seed: Mask) -> Mask | None:
    """The connected part of ``mask`` that holds most of ``seed``, cut where it is thin, its holes filled."""
    radius = max(mask.shape) * _HALF_THICKNESS
    # The frame's edge is no edge of the scan.
    depth = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    cores, count = ndimage.label(depth > radius)
    held = np.bincount(cores[seed], minlength=count + 1)
    held[0] = 0
    if not held.any():
        return None
    core = cores == held.argmax()
    # A little farther than back to where it was, for the corners of a fan.
    grown = (ndimage.distance_transform_edt(~core) <= 1.5 * radius + 0.5) & mask
    solid: Mask = ndimage.binary_fill_holes(grown)
    return solid if solid.mean() >= _SMALLEST else None


def _is_the_screen(whole: Mask, moving: Mask) -> bool:
    """Whether what hangs together with the moving part is a screen that is not black: it spans the frame."""
    spans = whole.any(0).mean() > _ALL and whole.any(1).mean() > _ALL
    return bool(spans and whole.sum() > _MUCH_LARGER * moving.sum())


def _outline(region: Mask) -> NDArray[np.float64]:
    """The corners of the convex hull ``(N, 2)``, counted from the corner of the first pixel."""
    pixels = np.argwhere(region ^ ndimage.binary_erosion(region))
    corners = (pixels[:, None] + [[0, 0], [0, 1], [1, 0], [1, 1]]).reshape(-1, 2).astype(float)
    hull: NDArray[np.float64] = corners[ConvexHull(corners).vertices]
    return hull
