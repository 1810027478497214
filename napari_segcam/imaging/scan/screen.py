"""The screen around the scan: its black, and panels of other colors that extend to the frame's edge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Gray = NDArray[np.float32]
"""``(Y, X)``, black 0 and white 1."""

LEVEL = 1 / 255
# Scanners often show echo-free parts of the fan only one level above the black of the screen.
_HALF_LEVEL = 0.5 * LEVEL
_FLAT = 0.75 * LEVEL  # four fifths of a flat square's values are within this range
_NOT_QUITE_BLACK = 8 * LEVEL  # the dark of a scan is not another color of the screen
_DARK = 30 * LEVEL
_PANEL_TOLERANCE = 1.2 * LEVEL
_PANEL_SHARE = 0.01  # of the frame's squares: smaller parts are not panels
_BLACK_EDGE = 0.01
_BLACK_SHARE = 0.08
_HAZY = 75  # percent of the squares beside strokes: if these are brighter, the image was compressed
_FEW = 20
_RULED = 0.5 * LEVEL
_BAR_ASPECT = 4
_BAR_FILL = 0.7
_BAR_RANGE = 0.4
_LETTER = 4  # squares: how far writing on a panel extends from its bare parts


class Screen:
    """Appearance of the screen outside the scan, estimated from one image.

    Args:
        picture: image of the screen; for a cine the mean of some frames.
        step: side of the squares in pixels.

    Attributes:
        is_flat: squares ``(Y / step, X / step)`` of one value that is not nearly black.
        is_scale: squares of gray bars.
    """

    def __init__(self, picture: Gray, step: int) -> None:
        squares = np.sort(blocks(picture, step), axis=2)
        last = step * step - 1
        low, middle = squares[..., last // 4], squares[..., last // 2]
        flat = squares[..., int(0.9 * last)] - squares[..., int(0.1 * last)] <= _FLAT
        self._step = step
        self._black = _estimate_black(low, middle, flat)
        self.is_flat: Mask = flat & (middle > self._black + _NOT_QUITE_BLACK)
        across, down = (_change(picture, axis, step) for axis in (1, 0))
        ruled = (np.minimum(across, down) <= _RULED) & (middle > self._black + _NOT_QUITE_BLACK)
        self.is_scale: Mask = _scales(ruled, middle)
        dark = middle <= self._black + _HALF_LEVEL
        # On a screen of another color, black belongs to the scan, unless there is much of it.
        self._is_black = _ring(dark).mean() > _BLACK_EDGE or (dark & flat).mean() > _BLACK_SHARE
        self._panels = list(_panels(middle, flat if self._black > _DARK else self.is_flat))

    def haze_around(self, strokes: Mask, picture: Gray) -> float:
        """Return how much brighter lossy compression has made the screen around strokes, 0 if it has not."""
        low = np.sort(blocks(picture, self._step), axis=2)[..., self._step * self._step // 4] - self._black
        near = (
            ndimage.binary_dilation(strokes, iterations=2)
            & ~ndimage.binary_dilation(strokes)
            & (low <= _NOT_QUITE_BLACK)
        )
        return float(np.percentile(low[near], _HAZY)) if near.sum() >= _FEW else 0.0

    def is_bare(self, picture: Gray, haze: float = 0) -> Mask:
        """Return the mask ``(Y, X)`` of the screen's black, with ``haze`` as the tolerance."""
        return (picture <= self._black + max(_HALF_LEVEL, haze)) & self._is_black

    def share_in(self, picture: Gray, haze: float = 0) -> NDArray[np.float32]:
        """Return the share of each square that shows the screen, 0 to 1, with ``haze`` as the tolerance of colors."""
        share = self._share(self.is_bare(picture, haze))
        for color, around in self._panels:
            share[around] += self._share(np.abs(picture - color) <= max(_PANEL_TOLERANCE, haze))[around]
        return share

    def _share(self, mask: Mask) -> NDArray[np.float32]:
        share: NDArray[np.float32] = blocks(mask.astype(np.float32), self._step).mean(2)
        return share


def _estimate_black(low: NDArray[np.float32], middle: NDArray[np.float32], flat: Mask) -> float:
    """Estimate the screen's black, which compression or a converter may have made a little brighter."""
    darkest = float(np.percentile(low, 1))
    edge = _ring(middle)[_ring(flat)]
    dark = edge[edge <= darkest + _NOT_QUITE_BLACK]
    return max(darkest, float(np.percentile(dark, 20))) if dark.size else darkest


def _change(picture: Gray, axis: int, step: int) -> NDArray[np.float32]:
    """Return the mean difference of neighboring pixels in each square."""
    change = np.abs(np.diff(picture, axis=axis, append=np.take(picture, [-1], axis)))
    mean: NDArray[np.float32] = blocks(change, step).mean(2)
    return mean


def _scales(ruled: Mask, middle: NDArray[np.float32]) -> Mask:
    """Find gray bars among the squares that are constant along rows or columns: narrow, straight, dark to bright."""
    scales = np.zeros_like(ruled)
    parts, _ = ndimage.label(ruled)
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        inside = parts[box] == number
        narrow, long = sorted(inside.shape)
        if long >= _BAR_ASPECT * narrow and inside.mean() >= _BAR_FILL and np.ptp(middle[box][inside]) >= _BAR_RANGE:
            scales[box] |= inside
    return ndimage.binary_dilation(scales)


def _ring(squares: NDArray[Any]) -> NDArray[Any]:
    """Return the squares along the frame's edge."""
    return np.concatenate([squares[0], squares[-1], squares[:, 0], squares[:, -1]])


def _panels(middle: NDArray[np.float32], flat: Mask) -> Iterator[tuple[float, Mask]]:
    """Yield the colors of large flat parts at the frame's edge, with the squares on and around them."""
    smallest = _PANEL_SHARE * middle.size
    levels = np.clip(np.rint(middle[flat] / LEVEL), 0, 255).astype(int)
    for level in np.flatnonzero(np.bincount(levels, minlength=1) >= smallest):
        parts = ndimage.label(flat & (np.abs(middle - level * LEVEL) <= LEVEL))[0]
        edge = np.unique(_ring(parts))
        panel = np.isin(parts, edge[edge > 0])
        if np.count_nonzero(panel) >= smallest:
            yield float(level * LEVEL), ndimage.binary_dilation(panel, iterations=_LETTER)


def blocks(image: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return the pixels of each square block ``(Y / step, X / step, step²)``, without a remainder at the end."""
    rows, columns = image.shape[0] // step, image.shape[1] // step
    squares = image[: rows * step, : columns * step].reshape(rows, step, columns, step)
    return squares.transpose(0, 2, 1, 3).reshape(rows, columns, step * step)
