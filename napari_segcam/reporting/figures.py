"""Figures: frames, heatmaps and masks as pictures for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from cmap import Colormap
from numpy.typing import NDArray
from PIL import Image, ImageColor
from scipy.ndimage import find_objects

from napari_segcam.imaging.plausibility import is_square
from napari_segcam.imaging.value_range import to_unit, value_range_of

Picture = NDArray[np.uint8]
"""``(Y, X, 3)``, RGB."""

Mask = NDArray[np.uint8] | NDArray[np.bool_]
"""Labels ``(Y, X)`` uint8, 0 being the background; or the mask of each class, ``(C, Y, X)`` bool, which may overlap."""

CLASS_COLORS = ("#00e5ff", "#ffd500", "#ff4fd8", "#7dff5a", "#ff7a33", "#9d8cff")
"""Of the labels 1, 2, … of a mask, where the model card gives none; they begin again after the last."""

_SIGNED_COLORMAP = "colorbrewer:RdBu_r"
_OUTLINE_WIDTH = 2
_MASK_OPACITY = 0.35
_WHITE = 0.6  # the share of white in the colors of a correction with several classes


def correction_colors(colors: Sequence[str], count: int) -> tuple[str, ...]:
    """Colors of the labels 1, 2, … of a correction: white for one class, for several much lighter than the mask's.

    Args:
        colors: ``#rrggbb`` of the mask's labels; empty for the usual ones.
        count: how many labels there may be.
    """
    if count <= 1:
        return ("#ffffff",)
    lighter = [_WHITE * 255 + (1 - _WHITE) * np.array(_color(label, colors)) for label in range(1, count + 1)]
    return tuple("#{:02x}{:02x}{:02x}".format(*np.round(color).astype(int)) for color in lighter)


def display(frame: NDArray[np.generic], value_range: tuple[float, float] | None = None) -> Picture:
    """A frame as an ``(Y, X, 3)`` picture; ``value_range`` says what black and white are."""
    black, white = value_range or value_range_of(frame)
    if frame.dtype == np.uint8 and (black, white) == (0, 255):
        shown = np.asarray(frame)
    else:
        shown = np.round(to_unit(np.asarray(frame), black, white) * 255).astype(np.uint8)
    return np.repeat(shown[..., None], 3, axis=2) if shown.ndim == 2 else shown[..., :3]


def with_heat(
    picture: Picture,
    heat: NDArray[np.float32],
    colormap: str = "turbo",
    opacity: float = 0.6,
    *,
    signed: bool = False,
) -> Picture:
    """Lay a heatmap ``(Y, X)`` over a picture; where there is no heat, nothing lies over it.

    Values run from 0 to 1; those of a signed map from −1 to 1, and are drawn from blue to red.
    """
    alpha = np.clip(np.abs(heat) / 0.5, 0, 1)[..., None] * opacity
    return np.round(picture * (1 - alpha) + colored(heat, colormap, signed=signed) * alpha).astype(np.uint8)


def colored(heat: NDArray[np.float32], colormap: str = "turbo", *, signed: bool = False) -> Picture:
    """A heatmap ``(Y, X)`` by itself, in the colors that ``with_heat`` lays over a picture."""
    if signed or heat.min() < 0:
        return _lookup(_SIGNED_COLORMAP)[np.round(np.clip(heat + 1, 0, 2) * 127.5).astype(np.uint8)]
    return _lookup(colormap)[np.round(np.clip(heat, 0, 1) * 255).astype(np.uint8)]


def with_outline(picture: Picture, mask: Mask, colors: Sequence[str] = ()) -> Picture:
    """Draw the outline of each label of a mask on a picture.

    Args:
        picture: of the mask's size.
        mask: of labels, or of classes that may overlap, which are the labels 1, 2, …
        colors: ``#rrggbb`` of the labels 1, 2, …; by default ``CLASS_COLORS``.
    """
    outlined = picture.copy()
    for label, place, inside in _labels(mask):
        outlined[place][rim(inside)] = _color(label, colors)
    return outlined


def rim(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a region ``(Y, X)`` that make its outline; it is closed where the region reaches the border."""
    core = inside
    for _ in range(_OUTLINE_WIDTH):  # a tenth of the time that erosion by any structure takes
        smaller = np.zeros_like(core)
        smaller[1:-1, 1:-1] = core[1:-1, 1:-1] & core[:-2, 1:-1] & core[2:, 1:-1] & core[1:-1, :-2] & core[1:-1, 2:]
        core = smaller
    return inside & ~core


def with_mask(picture: Picture, mask: Mask, colors: Sequence[str] = ()) -> Picture:
    """Lay the labels of a mask over a picture, transparent, with their outlines; arguments as ``with_outline``."""
    filled = picture.astype(np.float32)
    for label, place, inside in _labels(mask):
        filled[place][inside] += _MASK_OPACITY * (np.array(_color(label, colors)) - filled[place][inside])
    return with_outline(np.round(filled).astype(np.uint8), mask, colors)


def fitted(picture: Picture, smallest: int = 260, largest: int = 420, pixel_aspect: float = 1.0) -> Picture:
    """A picture at a size fit for a sheet: its longer side within these bounds, small ones enlarged by whole pixels.

    Args:
        picture: of a frame.
        smallest: its longer side at least, pixels.
        largest: its longer side at most, pixels.
        pixel_aspect: height of the frame's pixels by their width; the result shows them in their true shape.
    """
    height, width = picture.shape[:2]
    if not is_square(pixel_aspect):
        tall, wide = height * max(pixel_aspect, 1), width / min(pixel_aspect, 1)
        zoom = min(max(tall, wide, smallest), largest) / max(tall, wide)
        size = (max(1, round(wide * zoom)), max(1, round(tall * zoom)))
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
    longer = max(height, width)
    if longer < smallest:
        times = -(-smallest // longer)
        return picture.repeat(times, 0).repeat(times, 1)
    if longer <= largest:
        return picture
    size = (max(1, round(width * largest / longer)), max(1, round(height * largest / longer)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _labels(mask: Mask) -> Iterator[tuple[int, tuple[slice, slice], NDArray[np.bool_]]]:
    """Each label of a mask, the box that holds it, and where in the box it is."""
    if mask.ndim == 3:
        for label, of_class in enumerate(mask, start=1):
            for place in find_objects(of_class.view(np.uint8)):
                yield label, place, of_class[place]
        return
    for label, place in enumerate(find_objects(mask), start=1):
        if place is not None:
            yield label, place, mask[place] == label


def _color(label: int, colors: Sequence[str]) -> tuple[int, ...]:
    chosen = colors or CLASS_COLORS
    return ImageColor.getrgb(chosen[(label - 1) % len(chosen)])[:3]


@lru_cache
def _lookup(colormap: str) -> NDArray[np.uint8]:
    return np.round(Colormap(colormap).lut(256)[:, :3] * 255).astype(np.uint8)
