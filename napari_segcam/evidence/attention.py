"""Attention: how a heatmap's heat is spread between the region it explains and the rest of the frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Explanation, Heatmap


@dataclass(frozen=True)
class Attention:
    """Figures of one stage's raw heatmap, interpolated to the frame.

    ``mean``, ``std``, ``inside`` and ``outside`` are in the score's own units and can be compared between frames of one
    stage and method, not between stages. A large ratio is partly true by construction where the region is the
    predicted mask, the more so in the last decoder stages, which echo the mask.

    Attributes:
        mean: over what the network saw of the frame.
        std: over the same.
        inside: mean over the region; None where the region is empty.
        outside: mean over the rest; None where there is no rest.
        ratio: inside / outside; None where it is undefined.
        undefined: why there is no ratio, in words; None where there is one.
    """

    mean: float
    std: float
    inside: float | None
    outside: float | None
    ratio: float | None
    undefined: str | None

    def of_map(self, heatmap: Heatmap) -> dict[str, float | str | None]:
        """The figures as tables have them: None where there was no map to take them of, rather than 0."""
        there_is_one = heatmap.reason in (None, Reason.NOTHING_POSITIVE)  # a map of zeros is one
        means = {"mean": self.mean, "std": self.std, "inside": self.inside, "outside": self.outside}
        return {
            **(means if there_is_one else dict.fromkeys(means)),
            "ratio": self.ratio,
            "undefined": self.undefined or "",
        }


def attention(explanation: Explanation, region: NDArray[np.bool_] | None = None) -> dict[str, Attention]:
    """The attention figures of every stage, by stage name.

    Args:
        explanation: of one frame.
        region: ``(Y, X)`` bool, that inside and outside refer to, such as a true mask; by default the explained region.

    Raises:
        SegcamError: if the region is not of the frame's shape.
    """
    return attention_to(explanation, [explanation.region if region is None else region])[0]


def attention_to(explanation: Explanation, regions: Sequence[NDArray[np.bool_]]) -> list[dict[str, Attention]]:
    """The attention figures of every stage as of ``attention``, for each of several regions.

    Raises:
        SegcamError: if a region is not of the frame's shape.
    """
    for region in regions:
        if region.shape != explanation.frame_shape:
            raise SegcamError(f"The region has the shape {region.shape}, but the frame {explanation.frame_shape}.")
    figures: list[dict[str, Attention]] = [{} for _ in regions]
    seen = explanation.segmentation.geometry.window  # what the network was not shown has no heat, and is no evidence
    parts = _Parts([region[seen] for region in regions])
    heat = np.empty(explanation.segmentation.geometry.window_shape)  # new memory would take longer than the sums
    # All maps at once: between other work torch's threads would fall asleep and have to be woken for each.
    maps = [one.geometry.to_window(torch.from_numpy(one.values)).numpy() for one in explanation.heatmaps.values()]
    for (name, heatmap), window in zip(explanation.heatmaps.items(), maps, strict=True):
        heat[...] = window
        means = parts.means(heat)
        mean = float(heat.mean())
        heat -= mean
        std = math.sqrt(np.square(heat, out=heat).mean())
        for of_region, (inside, outside) in zip(figures, means, strict=True):
            of_region[name] = _attention(heatmap, mean, std, inside, outside)
    return figures


class _Parts:
    """What several regions divide a frame into, found once for the maps of all stages.

    Pixels that lie in the same ones of the regions make a part, whose heat is added up once for all regions. No sum is
    a difference of two: where all heat lies inside, that outside is exactly 0.

    Args:
        regions: bool, of one shape.
    """

    def __init__(self, regions: Sequence[NDArray[np.bool_]]) -> None:
        part_of = np.zeros(regions[0].size, np.intp)
        for bit, region in enumerate(regions):
            part_of |= np.ravel(region).astype(np.intp) << bit
        pixels = [np.flatnonzero(part_of == part) for part in range(1 << len(regions))]
        self._sizes = [len(part) for part in pixels]
        starts = np.cumsum([0, *self._sizes])
        # One row for each part: the product adds pixel by pixel, in half the time that counting into parts takes.
        self._matrix = csr_array(
            (np.ones(len(part_of)), np.concatenate(pixels), starts), shape=(len(pixels), len(part_of))
        )
        self._inside = [[part for part in range(len(pixels)) if part >> bit & 1] for bit in range(len(regions))]
        self._outside = [[part for part in range(len(pixels)) if not part >> bit & 1] for bit in range(len(regions))]

    def means(self, heat: NDArray[np.float64]) -> list[tuple[float | None, float | None]]:
        """For each region the mean heat in it and in the rest; None where that has no pixel."""
        sums = (self._matrix @ heat.ravel()).tolist()
        return [
            (self._mean(sums, inside), self._mean(sums, outside))
            for inside, outside in zip(self._inside, self._outside, strict=True)
        ]

    def _mean(self, sums: Sequence[float], parts: Sequence[int]) -> float | None:
        size = sum(self._sizes[part] for part in parts)
        return sum(sums[part] for part in parts) / size if size else None


def _attention(heatmap: Heatmap, mean: float, std: float, inside: float | None, outside: float | None) -> Attention:
    ratio, undefined = None, None
    if heatmap.reason is not None:
        undefined = heatmap.reason.value
    elif inside is None:
        undefined = "the region is empty"
    elif outside is None:
        undefined = "the region is the whole frame"
    elif outside == 0:
        undefined = "there is no heat outside the region"
    elif inside < 0 or outside < 0:  # of a signed map
        undefined = "the evidence inside or outside of the region is negative on the whole"
    else:
        ratio = inside / outside
    return Attention(mean, std, inside, outside, ratio, undefined)
