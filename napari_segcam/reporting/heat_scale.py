"""Heat scales: the raw values at the two ends of a colormap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.number_format import compact


@dataclass(frozen=True)
class HeatScale:
    """The raw values at the ends of a colormap; for a signed map they are symmetric about 0."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{compact(self.low)} to {compact(self.high)}"


def heatmap_scale(heatmap: Heatmap) -> HeatScale:
    """Return the scale that ``Heatmap.on_frame`` uses: the map's lowest and highest raw value in the input region."""
    raw = heatmap.raw_on_frame()[heatmap.geometry.window]
    return _symmetric(_highest(heatmap)) if heatmap.signed else HeatScale(float(raw.min()), _highest(heatmap))


def shared_scale(heatmaps: Iterable[Heatmap]) -> HeatScale:
    """Return one scale for the maps of one stage and method in many frames, so that their brightness can be compared.

    It starts at 0, no evidence, and ends at the largest raw value of all maps.
    """
    high, is_signed = 0.0, False
    for heatmap in heatmaps:
        is_signed |= heatmap.signed
        high = max(high, _highest(heatmap))
    return _symmetric(high) if is_signed else HeatScale(0.0, high)


def scale_heatmap(heatmap: Heatmap, scale: HeatScale | None = None) -> NDArray[np.float32]:
    """Return the map on the frame's grid ``(Y, X)`` as it is drawn: 0 to 1, or −1 to 1 for a signed map.

    Args:
        heatmap: of one stage.
        scale: shared by several maps; by default the map's own, as in ``Heatmap.on_frame``.
    """
    if scale is None:
        return heatmap.on_frame()
    if scale.high <= scale.low:
        return np.zeros(heatmap.geometry.frame_shape, np.float32)
    raw = heatmap.raw_on_frame()
    if heatmap.signed:
        return np.clip(raw / np.float32(scale.high), -1, 1)
    heat = np.zeros_like(raw)
    window = heatmap.geometry.window  # outside it there is no heat, which is not the low end of the scale
    heat[window] = np.clip((raw[window] - scale.low) / (scale.high - scale.low), 0, 1)
    return heat


def _highest(heatmap: Heatmap) -> float:
    """Return the magnitude that the strongest color stands for on the frame."""
    if heatmap.has_outliers:
        return heatmap.peak
    return float(np.abs(heatmap.raw_on_frame()[heatmap.geometry.window]).max())


def _symmetric(high: float) -> HeatScale:
    return HeatScale(-high, high)
