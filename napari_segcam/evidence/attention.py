"""Attention: how a heatmap's heat is spread between the region it explains and the rest of the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


def attention(explanation: Explanation) -> dict[str, Attention]:
    """The attention figures of every stage, by stage name."""
    return {name: _attention(heatmap, explanation) for name, heatmap in explanation.heatmaps.items()}


def _attention(heatmap: Heatmap, explanation: Explanation) -> Attention:
    seen = heatmap.geometry.window  # what the network was not shown has no heat, and is no evidence
    heat = heatmap.raw_on_frame()[seen].astype(np.float64)
    region = explanation.region[seen]
    inside = float(heat[region].mean()) if region.any() else None
    outside = float(heat[~region].mean()) if not region.all() else None
    ratio, undefined = None, None
    if heatmap.reason is not None:
        undefined = heatmap.reason.value
    elif inside is None:
        undefined = "the region is empty"
    elif outside is None:
        undefined = "the region is the whole frame"
    elif outside == 0:
        undefined = "there is no heat outside the region"
    else:
        ratio = inside / outside
    return Attention(float(heat.mean()), float(heat.std()), inside, outside, ratio, undefined)
