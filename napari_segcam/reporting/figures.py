"""Figures: explanations as pictures for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from cmap import Colormap
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_erosion

from napari_segcam.explanation.explanation import Explanation
from napari_segcam.imaging.value_range import value_range_of

Picture = NDArray[np.uint8]

_OUTLINE = (0, 229, 255)
_GAP = 6
_CAPTION = 16


def display(frame: NDArray[np.generic], value_range: tuple[float, float] | None = None) -> Picture:
    """A frame as an ``(Y, X, 3)`` picture; ``value_range`` says what black and white are."""
    black, white = value_range or value_range_of(frame)
    shown = np.clip((np.asarray(frame, dtype=np.float32) - black) / (white - black), 0, 1) * 255
    shown = np.round(shown).astype(np.uint8)
    return np.repeat(shown[..., None], 3, axis=2) if shown.ndim == 2 else shown[..., :3]


def with_heat(picture: Picture, heat: NDArray[np.float32], colormap: str = "turbo", opacity: float = 0.6) -> Picture:
    """Lay a heatmap ``(Y, X)`` over a picture; where there is no heat, nothing lies over it.

    Values run from 0 to 1; those of a signed map from −1 to 1, and are drawn from blue to red.
    """
    if heat.min() < 0:
        colours = _lookup("RdBu_r")[np.round(np.clip(heat + 1, 0, 2) * 127.5).astype(np.uint8)]
    else:
        colours = _lookup(colormap)[np.round(np.clip(heat, 0, 1) * 255).astype(np.uint8)]
    alpha = np.clip(np.abs(heat) / 0.5, 0, 1)[..., None] * opacity
    return np.round(picture * (1 - alpha) + colours * alpha).astype(np.uint8)


def with_outline(picture: Picture, mask: NDArray[np.uint8]) -> Picture:
    """Draw the outline of a mask ``(Y, X)`` on a picture."""
    inside = mask > 0
    outlined = picture.copy()
    outlined[inside & ~binary_erosion(inside, iterations=2)] = _OUTLINE
    return outlined


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet, with what is written above it."""

    caption: str
    picture: Picture


def sheet(tiles: Sequence[Tile], columns: int | None = None) -> Picture:
    """Lay pictures of one size out in rows, each under its caption."""
    columns = columns or math.ceil(math.sqrt(len(tiles) * 1.3))
    height, width = tiles[0].picture.shape[:2]
    rows = math.ceil(len(tiles) / columns)
    canvas = Image.new("RGB", (columns * (width + _GAP) + _GAP, rows * (height + _CAPTION + _GAP) + _GAP), "#101214")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=12)
    for number, tile in enumerate(tiles):
        x = _GAP + (number % columns) * (width + _GAP)
        y = _GAP + (number // columns) * (height + _CAPTION + _GAP)
        draw.text((x, y - 1), tile.caption, fill="#d8dde2", font=font)
        canvas.paste(Image.fromarray(tile.picture), (x, y + _CAPTION))
    return np.asarray(canvas)


def explanation_sheet(picture: Picture, explanation: Explanation) -> Picture:
    """The frame, its mask, and every stage's heatmap over the frame with the mask's outline."""
    tiles = [Tile("frame", picture), Tile("mask", with_outline(picture, explanation.mask))]
    for name, heatmap in explanation.heatmaps.items():
        heated = with_heat(picture, heatmap.on_frame())
        empty = " – empty" if heatmap.reason else ""
        tiles.append(Tile(f"{name} (stride {heatmap.stage.stride}){empty}", with_outline(heated, explanation.mask)))
    return sheet(tiles)


@lru_cache
def _lookup(colormap: str) -> NDArray[np.uint8]:
    return np.round(Colormap(colormap).lut(256)[:, :3] * 255).astype(np.uint8)
