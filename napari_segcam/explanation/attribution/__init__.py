"""Gradient attributions: how much of the score each pixel, or each place of a stage, accounts for.

Unlike a CAM method, which makes a map of one gradient, they gather many: along a path to the frame, or around it. The
library captum does that. Every method is a small function of a ``Score``, which can be differentiated by the input or
by a stage's map ``(1, K, h, w)``, and returns a map ``(h, w)``. A new method is a new file in this folder. How they are
used::

    score = score_at(module, x, stage, objective)
    estimate_attribution(ATTRIBUTIONS["smoothgrad"], score)     # what it will cost
    attribute(ATTRIBUTIONS["smoothgrad"], score, progress=..., cancelled=...)   # the map, or Cancelled
"""

from __future__ import annotations

from napari_segcam.explanation.attribution.attribution import (
    Attributed,
    Attribution,
    attribute,
    estimate_attribution,
)
from napari_segcam.explanation.attribution.score import Score, score_at
from napari_segcam.explanation.registry import collect

__all__ = ["ATTRIBUTIONS", "Attributed", "Attribution", "Score", "attribute", "estimate_attribution", "score_at"]

ATTRIBUTIONS: dict[str, Attribution] = collect(__name__, __path__, Attribution)
