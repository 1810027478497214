"""Figures: frames, heatmaps and masks as pictures for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from cmap import Colormap
from numpy.typing import NDArray
from PIL import Image, ImageColor
from scipy.ndimage import find_objects

from napari_segcam.heat_colormaps import DEFAULT_COLORMAP
from napari_segcam.imaging.plausibility import is_square
from napari_segcam.imaging.value_range import to_unit, value_range_of

Picture = NDArray[np.uint8]
"""``(Y, X, 3)``, RGB."""

Mask = NDArray[np.uint8] | NDArray[np.bool_]
"""Labels ``(Y, X)`` uint8, where 0 is the background; or one mask per class, ``(C, Y, X)`` bool, which may overlap."""

CLASS_COLORS = ("#00e5ff", "#ffd500", "#ff4fd8", "#7dff5a", "#ff7a33", "#9d8cff")
"""Default colors of the labels 1, 2, … of a mask; after the last, the first is used again."""

_SIGNED_COLORMAP = "colorbrewer:RdBu_r"
_OUTLINE_WIDTH = 2
_MASK_OPACITY = 0.35
_WHITE = 0.6  # share of white in the colors of a correction with several classes


def correction_colors(colors: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the colors of the labels 1, 2, … of a correction: white for one label, light colors for several.

    Args:
        colors: ``#rrggbb`` of the mask's labels; empty for ``CLASS_COLORS``.
        count: number of labels.
    """
    if count <= 1:
        return ("#ffffff",)
    lighter = [_WHITE * 255 + (1 - _WHITE) * np.array(_color(label, colors)) for label in range(1, count + 1)]
    return tuple("#{:02x}{:02x}{:02x}".format(*np.round(color).astype(int)) for color in lighter)


def display(frame: NDArray[np.generic], value_range: tuple[float, float] | None = None) -> Picture:
    """Return a frame as an RGB picture ``(Y, X, 3)``.

    Args:
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the values that are black and white; by default those of ``value_range_of``.
    """
    black, white = value_range or value_range_of(frame)
    if frame.dtype == np.uint8 and (black, white) == (0, 255):
        pixels = np.asarray(frame)
    else:
        pixels = np.round(to_unit(np.asarray(frame), black, white) * 255).astype(np.uint8)
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]


def with_heat(
    picture: Picture,
    heat: NDArray[np.float32],
    colormap: str = DEFAULT_COLORMAP,
    opacity: float = 0.6,
    *,
    signed: bool = False,
) -> Picture:
    """Return a picture with a heatmap over it; where the heat is 0, the picture stays as it is.

    Args:
        picture: of the frame.
        heat: ``(Y, X)``, 0 to 1; of a signed map −1 to 1, drawn from blue to red.
        colormap: any name that cmap knows; not used for a signed map.
        opacity: of the strongest heat, 0–1.
        signed: whether negative values are evidence against the class.
    """
    alpha = np.clip(np.abs(heat) / 0.5, 0, 1)[..., None] * opacity
    return np.round(picture * (1 - alpha) + color_heat(heat, colormap, signed=signed) * alpha).astype(np.uint8)


def color_heat(heat: NDArray[np.float32], colormap: str = DEFAULT_COLORMAP, *, signed: bool = False) -> Picture:
    """Return a heatmap ``(Y, X)`` alone, in the colors that ``with_heat`` uses."""
    if signed or heat.min() < 0:
        return _lookup(_SIGNED_COLORMAP)[np.round(np.clip(heat + 1, 0, 2) * 127.5).astype(np.uint8)]
    return _lookup(colormap)[np.round(np.clip(heat, 0, 1) * 255).astype(np.uint8)]


def with_outline(picture: Picture, mask: Mask, colors: Sequence[str] = ()) -> Picture:
    """Return a picture with the outline of each label of a mask.

    Args:
        picture: of the mask's size.
        mask: labels, or one mask per class; the classes are then the labels 1, 2, …
        colors: ``#rrggbb`` of the labels 1, 2, …; by default ``CLASS_COLORS``.
    """
    outlined = picture.copy()
    for label, box, inside in _labels(mask):
        outlined[box][outline_pixels(inside)] = _color(label, colors)
    return outlined


def outline_pixels(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a region ``(Y, X)`` that are its outline; at the edge of the frame it is closed."""
    core = inside
    for _ in range(_OUTLINE_WIDTH):  # ten times as fast as scipy's erosion
        smaller = np.zeros_like(core)
        smaller[1:-1, 1:-1] = core[1:-1, 1:-1] & core[:-2, 1:-1] & core[2:, 1:-1] & core[1:-1, :-2] & core[1:-1, 2:]
        core = smaller
    return inside & ~core


def with_mask(picture: Picture, mask: Mask, colors: Sequence[str] = ()) -> Picture:
    """Return a picture with the labels of a mask over it, transparent and outlined; arguments as ``with_outline``."""
    filled = picture.astype(np.float32)
    for label, box, inside in _labels(mask):
        filled[box][inside] += _MASK_OPACITY * (np.array(_color(label, colors)) - filled[box][inside])
    return with_outline(np.round(filled).astype(np.uint8), mask, colors)


def fit_to_tile(picture: Picture, smallest: int = 260, largest: int = 420, pixel_aspect: float = 1.0) -> Picture:
    """Return a picture at a size that fits a sheet. Small pictures are enlarged by a whole factor.

    Args:
        picture: of a frame.
        smallest: least length of its longer side, in pixels.
        largest: greatest length of its longer side, in pixels.
        pixel_aspect: height of the frame's pixels divided by their width; the result shows the frame's true shape.
    """
    height, width = picture.shape[:2]
    if not is_square(pixel_aspect):
        tall, wide = height * max(pixel_aspect, 1), width / min(pixel_aspect, 1)
        zoom = min(max(tall, wide, smallest), largest) / max(tall, wide)
        size = (max(1, round(wide * zoom)), max(1, round(tall * zoom)))
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
    longer = max(height, width)
    if longer < smallest:
        factor = -(-smallest // longer)
        return picture.repeat(factor, 0).repeat(factor, 1)
    if longer <= largest:
        return picture
    size = (max(1, round(width * largest / longer)), max(1, round(height * largest / longer)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _labels(mask: Mask) -> Iterator[tuple[int, tuple[slice, slice], NDArray[np.bool_]]]:
    """Yield each label of a mask, its bounding box, and the label's pixels in that box."""
    if mask.ndim == 3:
        for label, class_mask in enumerate(mask, start=1):
            for box in find_objects(class_mask.view(np.uint8)):
                yield label, box, class_mask[box]
        return
    for label, box in enumerate(find_objects(mask), start=1):
        if box is not None:
            yield label, box, mask[box] == label


def _color(label: int, colors: Sequence[str]) -> tuple[int, ...]:
    colors = colors or CLASS_COLORS
    return ImageColor.getrgb(colors[(label - 1) % len(colors)])[:3]


@lru_cache
def _lookup(colormap: str) -> NDArray[np.uint8]:
    return np.round(Colormap(colormap).lut(256)[:, :3] * 255).astype(np.uint8)
