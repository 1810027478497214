"""Scales: which raw values the two ends of a colormap stand for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.explanation.explanation import Heatmap


@dataclass(frozen=True)
class HeatScale:
    """The raw values at the ends of a colormap; of a signed map they lie symmetrically about 0."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{in_short(self.low)} to {in_short(self.high)}"


def in_short(value: float) -> str:
    """A raw value as people read it: three digits, and no power of ten before a million."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def own_scale(heatmap: Heatmap) -> HeatScale:
    """What ``Heatmap.on_frame`` scales one map by: its lowest and highest raw value where the network looked."""
    raw = heatmap.raw_on_frame()[heatmap.geometry.window]
    return _symmetric(_highest(heatmap)) if heatmap.signed else HeatScale(float(raw.min()), _highest(heatmap))


def shared_scale(heatmaps: Iterable[Heatmap]) -> HeatScale:
    """One scale for the maps of one stage and method in many frames, so that their brightness can be compared.

    It begins at 0, no evidence, and ends at the largest raw value of all.
    """
    high, is_signed = 0.0, False
    for heatmap in heatmaps:
        is_signed |= heatmap.signed
        high = max(high, _highest(heatmap))
    return _symmetric(high) if is_signed else HeatScale(0.0, high)


def scaled(heatmap: Heatmap, scale: HeatScale | None = None) -> NDArray[np.float32]:
    """The map on the frame's grid ``(Y, X)`` as it is drawn: 0 to 1, or −1 to 1 for a signed one.

    Args:
        heatmap: of one stage.
        scale: that several share; by default the map's own, as ``Heatmap.on_frame``.
    """
    if scale is None:
        return heatmap.on_frame()
    if scale.high <= scale.low:
        return np.zeros(heatmap.geometry.frame_shape, np.float32)
    raw = heatmap.raw_on_frame()
    if heatmap.signed:
        return np.clip(raw / np.float32(scale.high), -1, 1)
    drawn = np.zeros_like(raw)
    seen = heatmap.geometry.window  # elsewhere there is no heat, which is not the scale's low end
    drawn[seen] = np.clip((raw[seen] - scale.low) / (scale.high - scale.low), 0, 1)
    return drawn


def _highest(heatmap: Heatmap) -> float:
    """The magnitude that the strongest color stands for, of what is drawn on the frame."""
    if heatmap.has_outliers:
        return heatmap.peak
    return float(np.abs(heatmap.raw_on_frame()[heatmap.geometry.window]).max())


def _symmetric(high: float) -> HeatScale:
    return HeatScale(-high, high)
