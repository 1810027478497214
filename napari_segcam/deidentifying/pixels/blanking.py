"""Blanking: everything outside a region becomes black."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_segcam.imaging.geometry import Crop


def blanked(
    pixels: NDArray[np.generic], crop: Crop | None, black: Sequence[int], *, by_plane: bool = False
) -> NDArray[np.generic]:
    """Return a copy of a frame that is black outside a region.

    Args:
        pixels: ``(Y, X)`` or ``(Y, X, 3)``, or ``(3, Y, X)`` if ``by_plane``.
        crop: rows and columns that stay; None for all.
        black: of one channel or of three.
        by_plane: whether the channels come first.
    """
    if crop is None:
        return np.ascontiguousarray(pixels)
    channels = np.asarray(black, pixels.dtype)
    fill = channels[:, None, None] if by_plane else channels if pixels.ndim == 3 else channels[0]
    result = np.empty(pixels.shape, pixels.dtype)
    result[...] = fill
    inside = (slice(None), *crop) if by_plane else crop
    result[inside] = pixels[inside]
    return result


def blanked_422(stored: NDArray[np.generic], columns: int, crop: Crop | None, chroma: int) -> NDArray[np.generic]:
    """Return a copy of an uncompressed YBR_FULL_422 frame that is black outside a region.

    A pair of pixels of which one is in the region keeps its color, but the other one has no brightness.

    Args:
        stored: ``(Y, X / 2, 4)``: two brightnesses and the color of each pair of pixels.
        columns: of the frame.
        crop: rows and columns that stay; None for all.
        chroma: value of no color.
    """
    if crop is None:
        return np.ascontiguousarray(stored)
    rows, inside = crop
    result = np.empty(stored.shape, stored.dtype)
    result[...] = np.asarray((0, 0, chroma, chroma), stored.dtype)
    pairs = slice(inside.start // 2, -(-inside.stop // 2))
    result[rows, pairs] = stored[rows, pairs]
    for edge in (inside.start - 1, inside.stop):  # the other pixel of a pair that the region cuts
        if 0 <= edge < columns:
            result[rows, edge // 2, edge % 2] = 0
    return result
