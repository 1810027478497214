"""Words for a place in a frame that the heat explains."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_segcam.number_format import grouped
from napari_segcam.viewer.frames.review_results import StoredHeatmaps


def place_words(region: Any) -> str:
    """Return where a place is, in words; empty for a region that is no place."""
    kind = type(region).__name__
    if kind == "At":
        return f"row {region.row}, column {region.column}"
    if kind == "Box":
        return f"rows {region.top}–{region.bottom - 1}, columns {region.left}–{region.right - 1}"
    return "the drawn area" if kind == "Polygon" else ""


def asked_region_words(region: Any, stored: StoredHeatmaps | None) -> str:
    """Return what is explained at a place, in words; empty for a region that is no place.

    Args:
        region: of the request.
        stored: the heatmaps that explain it, if they are computed.
    """
    where = place_words(region)
    if not where:
        return ""
    count = None if stored is None or stored.region is None else int(np.count_nonzero(stored.region.labels))
    pixels = "" if count is None else f" of {grouped(count)} pixels"
    kind = type(region).__name__
    if kind == "Box":
        return f"the box{pixels}, {where}"
    if kind == "Polygon":
        return f"{where}{pixels}"
    if stored is None:
        return f"what is at {where}"
    if stored.region_digest is not None:
        return f"the component{pixels} of your correction at {where}"
    if stored.is_found:
        return f"the component{pixels} at {where}"
    return f"the score within {region.radius} pixels of {where}, where nothing was found"
