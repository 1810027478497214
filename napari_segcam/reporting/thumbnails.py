"""Thumbnails: heat drawn at a small size, without first drawing it at the size of the frame."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.reporting.figures import color_heat, with_heat

_ROUNDING = 1e-6  # a ratio of 2 may be computed as a little more


def small_heat(heatmap: Heatmap, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return ``Heatmap.on_frame`` at a smaller size: 0 to 1, or −1 to 1 for a signed map.

    The cost depends on the size of the result and of the stage's map, not on that of the frame.

    Args:
        heatmap: of one stage.
        shape: of the whole frame in the result, ``(rows, columns)``.
    """
    # Drawn at about the map's own resolution, then shrunk: pixels are merged, and none is left out.
    finer = max(1, math.ceil(max(_map_pixels_per_pixel(heatmap, shape)) - _ROUNDING))
    drawn = replace(heatmap, geometry=_at_size(heatmap.geometry, (finer * shape[0], finer * shape[1]))).on_frame()
    if finer == 1:
        return drawn
    return np.asarray(Image.fromarray(drawn).reduce(finer))


def with_small_heat(picture: Image.Image, heat: NDArray[np.float32], *, signed: bool = False) -> Image.Image:
    """Return a picture with heat over it, as ``with_heat`` draws it, but in 256 steps, which is faster.

    Args:
        picture: of the frame, RGB.
        heat: of the picture's size, as from ``small_heat``.
        signed: whether the heat is −1 to 1.
    """
    lowest = -1 if signed else 0
    steps = np.round((heat - lowest) * (255 / (1 - lowest))).astype(np.uint8)
    palette, opacities = _palette(signed)
    colors = Image.fromarray(steps)
    colors.putpalette(palette)
    heated = picture.copy()
    heated.paste(colors.convert("RGB"), mask=Image.fromarray(opacities.take(steps)))
    return heated


@lru_cache
def _palette(signed: bool) -> tuple[bytes, NDArray[np.uint8]]:
    """Return the colors of 256 steps of heat, and the opacity of each (0 to 255)."""
    heat = np.linspace(-1 if signed else 0, 1, 256, dtype=np.float32)[None]
    on_black, on_white = (with_heat(np.full((1, 256, 3), value, np.uint8), heat, signed=signed) for value in (0, 255))
    return color_heat(heat, signed=signed).tobytes(), 255 - (on_white - on_black)[0, :, 0]


def _map_pixels_per_pixel(heatmap: Heatmap, shape: tuple[int, int]) -> tuple[float, float]:
    rows, columns = (
        whole / (scale * length)
        for whole, scale, length in zip(heatmap.geometry.frame_shape, heatmap.scale, shape, strict=True)
    )
    return rows, columns


def _at_size(geometry: Geometry, shape: tuple[int, int]) -> Geometry:
    """Return the geometry of the same input for a frame of another size."""
    if geometry.crop is None:
        return replace(geometry, frame_shape=shape)
    top, bottom, left, right = geometry.crop
    rows = _resized(top, bottom, geometry.frame_shape[0], shape[0])
    columns = _resized(left, right, geometry.frame_shape[1], shape[1])
    return replace(geometry, frame_shape=shape, crop=(*rows, *columns))


def _resized(start: int, stop: int, length: int, new_length: int) -> tuple[int, int]:
    """Return where a range of pixels starts and stops in a frame of another length; it keeps at least one pixel."""
    start = min(round(start * new_length / length), new_length - 1)
    return start, max(start + 1, round(stop * new_length / length))
