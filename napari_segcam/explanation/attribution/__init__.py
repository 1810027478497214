"""Gradient attributions: how much each pixel, or each pixel of a stage, contributes to the score.

A CAM method makes a map of one gradient; these combine many, along a path to the frame or around it. The library captum
does that. Every method is a small function of a ``Score``, which can be differentiated with respect to the input or a
stage's map ``(1, K, h, w)``, and returns a map ``(h, w)``. A new method is a new file in this folder. Usage::

    score = score_at(module, x, stage, objective)
    estimate_attribution(ATTRIBUTIONS["smoothgrad"], score)     # the cost
    attribute(ATTRIBUTIONS["smoothgrad"], score, progress=..., cancelled=...)   # the map, or Cancelled
"""

from __future__ import annotations

from napari_segcam.explanation.attribution.attribution import (
    AttributedMap,
    Attribution,
    attribute,
    estimate_attribution,
)
from napari_segcam.explanation.attribution.score import Score, score_at
from napari_segcam.explanation.registry import collect

__all__ = ["ATTRIBUTIONS", "AttributedMap", "Attribution", "Score", "attribute", "estimate_attribution", "score_at"]

ATTRIBUTIONS: dict[str, Attribution] = collect(__name__, __path__, Attribution)
