"""Off the scan: the share of a heatmap's heat where there is no tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.imaging.geometry import Crop


@dataclass(frozen=True)
class OffScan:
    """Heat outside the scan, which often comes from padding and corners.

    Attributes:
        outside: share of the heat outside the scan, on the frame; None where there is no heat or the scan is unknown.
        ring: share of the heat in the outermost ring of the stage's cells; None where there is no heat.
        ring_area: share of the cells in this ring, which is the ring's share of evenly distributed heat.
    """

    outside: float | None
    ring: float | None
    ring_area: float


def off_scan(heatmap: Heatmap, scan: Crop | NDArray[np.bool_] | None = None) -> OffScan:
    """Measure the shares of a heatmap's heat off the scan; only values above zero are heat.

    Args:
        heatmap: of one stage.
        scan: rows and columns that show the scan, or ``(Y, X)`` bool; None if unknown.
    """
    cells = np.clip(heatmap.values, 0, None).astype(np.float64)
    ring = np.ones(cells.shape, bool)
    ring[1:-1, 1:-1] = False
    area = float(ring.mean())
    if heatmap.reason is not None or not cells.sum():
        return OffScan(None, None, area)
    outside = None
    if scan is not None:
        heat = np.clip(heatmap.raw_on_frame(), 0, None).astype(np.float64)
        inside = heat[scan].sum()
        outside = float(1 - inside / heat.sum()) if heat.sum() else None
    return OffScan(outside, float(cells[ring].sum() / cells.sum()), area)
