"""Integrated Gradients, of the pixels and of a stage."""

from __future__ import annotations

import math

import torch

from napari_segcam.explanation.attribution.attribution import AttributedMap, attribution
from napari_segcam.explanation.attribution.score import PIXELS, Score

_PAPER = "Sundararajan et al., arXiv:1703.01365"
_STEPS = 32
_RUNS = _STEPS + 2  # and one at each end, for the completeness error


@attribution(
    "integrated_gradients", "Integrated Gradients", paper=_PAPER, year=2017, runs=_RUNS, stage=PIXELS, signed=True
)
@attribution(
    "layer_integrated_gradients", "Integrated Gradients of stages", paper=_PAPER, year=2017, runs=_RUNS, signed=True
)
def integrated_gradients(score: Score) -> AttributedMap:
    """(x − x′) · ∫₀¹ ∂y/∂x (x′ + α (x − x′)) dα, where x′ is black (Sundararajan et al. 2017, arXiv:1703.01365).

    The sum over all pixels is y(x) − y(x′): each pixel has its share of the score's gain over a black frame, negative
    where it counts against the target. As in the paper, a pixel's share is the sum over its channels. A black pixel
    always has a share of zero, as it equals the baseline. The integral is a Gauss–Legendre quadrature in 32 steps.

    For a stage, x is its map and x′ the map of a black frame. The shares add up to the score that the frame's map gains
    over the black one's, while everything that bypasses the stage stays as it is.
    """
    from captum.attr import IntegratedGradients

    shares = IntegratedGradients(score).attribute(
        score.at, score.baseline, n_steps=_STEPS, method="gausslegendre", internal_batch_size=score.batch
    )
    with torch.no_grad():
        gain = float(score(score.at) - score(score.baseline))
    error = abs(float(shares.sum()) - gain) / abs(gain) if gain else math.nan
    return AttributedMap(shares[0].sum(0), error if math.isfinite(error) else None)
