"""Shares: the values of a frame between black (0) and white (1), and back in the frame's own values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.generic]
Shares = NDArray[np.float64]


@dataclass(frozen=True)
class FrameContext:
    """What a perturbation has to know of a frame.

    Attributes:
        value_range: the values of black and white.
        spacing_mm: height and width of a pixel; None if the frame is not calibrated.
        pixel_aspect: height of a pixel divided by its width.
        seed: of everything random; the same for all strengths, so that a stronger perturbation has the same places.
    """

    value_range: tuple[float, float]
    spacing_mm: tuple[float, float] | None = None
    pixel_aspect: float = 1.0
    seed: int = 0

    def generator(self) -> np.random.Generator:
        """Return a new generator of random numbers, which begins at the seed."""
        return np.random.default_rng(self.seed)


SharesChange = Callable[[Shares, float, FrameContext], Shares]
FrameChange = Callable[[Frame, float, FrameContext], Frame]


def to_shares(frame: Frame, value_range: tuple[float, float]) -> Shares:
    """Return a frame as shares from 0 (black) to 1 (white); what is beyond is cut."""
    black, white = value_range
    return np.clip((np.asarray(frame, np.float64) - black) / (white - black), 0, 1)


def from_shares(shares: Shares, value_range: tuple[float, float], dtype: np.dtype[Any]) -> Frame:
    """Return shares as values of a frame in its dtype; integers are rounded."""
    black, white = value_range
    values = black + np.clip(shares, 0, 1) * (white - black)
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
    return values.astype(dtype)


def on_shares(change: SharesChange) -> FrameChange:
    """Turn a change of shares ``(Y, X[, C])`` into one of frames in any real dtype, which the result keeps."""

    def changed(frame: Frame, strength: float, context: FrameContext) -> Frame:
        shares = change(to_shares(frame, context.value_range), strength, context)
        return from_shares(shares, context.value_range, frame.dtype)

    return changed


def on_brightness(shares: Shares, change: Callable[[Shares], Shares]) -> Shares:
    """Change the brightness ``(Y, X)`` of shares ``(Y, X[, C])``: hues stay, and what is black stays black.

    The brightness of a pixel in color is that of its brightest channel.
    """
    brightness = shares if shares.ndim == 2 else shares.max(axis=-1)
    changed = np.where(brightness > 0, np.clip(change(brightness), 0, 1), 0)
    if shares.ndim == 2:
        return changed
    factor = np.divide(changed, brightness, out=np.zeros_like(brightness), where=brightness > 0)
    return shares * factor[..., None]
