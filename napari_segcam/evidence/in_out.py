"""In / out with its null: whether a region holds more heat than its size and shape alone would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.evidence.attention import Attention, attention
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.placements import Placement, PlacementSums, draw_placements
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.imaging.geometry import Crop

DRAWS = 199
_ROUNDING = 1e-11  # as a share of all heat

_NO_PLACE = "the region fills the scan, so there is no other place to compare it with"
_SIGNED = "the map also holds evidence against the target, so a share is not defined"


@dataclass(frozen=True)
class InOut:
    """Heat inside the region of one stage.

    Attributes:
        ratio: mean heat inside the region over mean heat outside.
        share: share of all heat that is inside the region (relevance mass accuracy, Arras et al. 2022).
    """

    ratio: Measurement
    share: Measurement

    def ratio_columns(self) -> dict[str, float | str | None]:
        """Return the null of the ratio for a row of a table that has the ratio itself."""
        ratio = self.ratio
        return {"ratio_null": ratio.expected, "ratio_p": ratio.p, "null_undefined": ratio.undefined}


def in_out(
    explanation: Explanation, *, scan: Crop | None = None, draws: int = DRAWS, seed: int = 0
) -> dict[str, InOut]:
    """Return the ratio and the share of every stage, with the region at random places of the scan as null.

    The region keeps its size and shape: it is moved, turned by quarters and mirrored. The network does not run.

    Args:
        explanation: of one frame.
        scan: rows and columns within which the region is moved; by default the part that the network saw.
        draws: K, how many places.
        seed: of the places.
    """
    region = explanation.region
    if not region.any():
        undefined = Measurement(None, undefined=Reason.EMPTY_REGION.value)
        return dict.fromkeys(explanation.heatmaps, InOut(undefined, undefined))
    window = explanation.segmentation.geometry.window  # outside of it there is no heat
    placements = draw_placements(region, _common(scan or window, window), draws, seed)
    null = _Null(explanation, placements) if placements else None
    figures = attention(explanation)
    return {name: _in_out(explanation, name, figures[name], null) for name in explanation.heatmaps}


def random_placements(region: NDArray[np.bool_], scan: Crop, draws: int, seed: int) -> list[NDArray[np.bool_]]:
    """Return the region ``(Y, X)`` at random places within the scan, or an empty list if it fits nowhere else."""
    rows, columns = region.shape
    return [placement.on_frame((rows, columns)) for placement in draw_placements(region, scan, draws, seed)]


class _Null:
    """Heat inside and outside of the placements of a region, within the part of the frame that the network saw."""

    def __init__(self, explanation: Explanation, placements: Sequence[Placement]) -> None:
        self._geometry = explanation.segmentation.geometry
        self._sums = PlacementSums(placements, explanation.frame_shape)
        self._inside = np.array([np.count_nonzero(placement.pose) for placement in placements])

    def ratios_and_shares(self, heatmap: Heatmap) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return ratio and share at each place. A place that holds all the heat has no ratio: it counts as infinite."""
        maps = torch.from_numpy(heatmap.values).double()[None]
        heat = heatmap.geometry.to_frame(maps)[0].numpy()  # in float64, as for ``attention``
        inside, total = self._sums.of(heat), float(heat.sum())
        outside = total - inside
        outside[np.abs(outside) <= _ROUNDING * abs(total)] = 0
        means = inside / self._inside, outside / (math.prod(self._geometry.window_shape) - self._inside)
        ratios = np.divide(*means, out=np.full(len(inside), np.inf), where=outside > 0)
        return tuple(ratios.tolist()), tuple((inside / total).tolist() if total else ())


def _common(first: Crop, second: Crop) -> Crop:
    """Return the rows and columns that two parts of a frame share."""
    return (
        slice(max(first[0].start, second[0].start), min(first[0].stop, second[0].stop)),
        slice(max(first[1].start, second[1].start), min(first[1].stop, second[1].stop)),
    )


def _in_out(explanation: Explanation, name: str, attention: Attention, null: _Null | None) -> InOut:
    heatmap = explanation.heatmaps[name]
    if heatmap.reason is not None or heatmap.signed:
        undefined = Measurement(None, undefined=_SIGNED if heatmap.reason is None else heatmap.reason.value)
        return InOut(undefined, undefined)
    pixels = int(explanation.region.sum())
    total = attention.mean * math.prod(explanation.segmentation.geometry.window_shape)
    no_null = "" if null else _NO_PLACE
    ratios, shares = null.ratios_and_shares(heatmap) if null else ((), ())
    share = (
        Measurement(float((attention.inside or 0.0) * pixels / total), shares, no_null)
        if total
        else Measurement(None, undefined="the heat adds up to 0")
    )
    if attention.ratio is None:
        return InOut(Measurement(None, undefined=attention.undefined or ""), share)
    return InOut(Measurement(attention.ratio, ratios, no_null), share)
