"""Patches: the shapes of burned-in graphics at other places of a frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.imaging.geometry import Crop

Mask = NDArray[np.bool_]

_TRIES = 300  # places of one patch
_GAP = 2  # pixels between patches and graphics: inpainting looks at the pixels around them
_TOGETHER = 3  # pixels: parts that are as close as this move together
_BLANK = 7  # pixels: a square of one value is not tissue, and filling it would change nothing


def place_elsewhere(graphics: Mask, frame: NDArray[np.generic], scan: Crop, draws: int, seed: int) -> list[Mask]:
    """Return the graphics ``(Y, X)`` moved to random places, or an empty list if they fit nowhere else.

    Each graphic keeps its size and shape, up to quarter turns and mirror images, and is moved by itself. It is on the
    tissue, which is what is not blank within the scan, and touches neither a graphic nor another patch.

    Args:
        graphics: ``(Y, X)`` bool.
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        scan: rows and columns within which they are moved.
        draws: how many times.
        seed: of the places.
    """
    rng = np.random.default_rng(seed)
    shapes = sorted(_shapes(graphics), key=lambda shape: -shape.size)  # large ones are hardest to place
    taken = np.ones_like(graphics)
    taken[scan] = (ndimage.binary_dilation(graphics, iterations=_GAP) | _is_blank(frame))[scan]
    placements = []
    for _ in range(draws):
        placement = _place(shapes, taken.copy(), scan, rng)
        if placement is None:
            return []
        placements.append(placement)
    return placements


def _place(shapes: list[Mask], taken: Mask, scan: Crop, rng: np.random.Generator) -> Mask | None:
    """Return all shapes at random free places; None if one of them was not placed in 200 tries."""
    placement = np.zeros_like(taken)
    for shape in shapes:
        for _ in range(_TRIES):
            pose = np.rot90(shape[:, ::-1] if rng.integers(2) else shape, int(rng.integers(4)))
            free = [part.stop - part.start - length for part, length in zip(scan, pose.shape, strict=True)]
            if min(free) < 0:
                continue
            top, left = (part.start + int(rng.integers(space + 1)) for part, space in zip(scan, free, strict=True))
            box = slice(top, top + pose.shape[0]), slice(left, left + pose.shape[1])
            if not (taken[box] & pose).any():
                placement[box] |= pose
                near = tuple(slice(max(part.start - _GAP, 0), part.stop + _GAP) for part in box)
                taken[near] |= ndimage.binary_dilation(placement[near], iterations=_GAP)
                break
        else:
            return None
    return placement


def _shapes(graphics: Mask) -> Iterator[Mask]:
    """Yield the shape of each graphic, such as a word, in its bounding box."""
    together = ndimage.binary_dilation(graphics, iterations=_TOGETHER)
    labels, _ = ndimage.label(together, np.ones((3, 3), bool))
    labels[~graphics] = 0
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            yield labels[box] == number


def _is_blank(frame: NDArray[np.generic]) -> Mask:
    """Return the pixels ``(Y, X)`` in squares of one value, such as the black around the scan."""
    gray = frame if frame.ndim == 2 else frame.max(2)
    blank = ndimage.maximum_filter(gray, _BLANK) == ndimage.minimum_filter(gray, _BLANK)
    return np.asarray(ndimage.binary_dilation(blank, iterations=_BLANK // 2))
