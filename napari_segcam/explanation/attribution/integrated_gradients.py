"""Integrated Gradients, of the pixels and of a stage."""

from __future__ import annotations

import math

import torch

from napari_segcam.explanation.attribution.attribution import Attributed, attribution
from napari_segcam.explanation.attribution.score import PIXELS, Score

_PAPER = "Sundararajan et al., arXiv:1703.01365"
_STEPS = 32
_RUNS = _STEPS + 2  # and one at each end, to see how complete it is


@attribution(
    "integrated_gradients", "Integrated Gradients", paper=_PAPER, year=2017, runs=_RUNS, stage=PIXELS, signed=True
)
@attribution(
    "layer_integrated_gradients", "Integrated Gradients of stages", paper=_PAPER, year=2017, runs=_RUNS, signed=True
)
def integrated_gradients(score: Score) -> Attributed:
    """(x − x′) · ∫₀¹ ∂y/∂x (x′ + α (x − x′)) dα, x′ being black (Sundararajan et al. 2017, arXiv:1703.01365).

    The sum over all pixels is y(x) − y(x′): each has its share of what the score gained over a black frame, and a
    negative one where it speaks against the target. As in the paper a pixel's share is the sum of its channels'. A
    black pixel has none, whatever it means to the network: it is no different from the baseline. The integral is
    a Gauss–Legendre quadrature in 32 steps.

    Of a stage, x is its map and x′ that of a black frame, and what is divided is the score that the frame's map gains
    over the black one's where all that goes around the stage stays as it is.
    """
    from captum.attr import IntegratedGradients

    shares = IntegratedGradients(score).attribute(
        score.at, score.baseline, n_steps=_STEPS, method="gausslegendre", internal_batch_size=score.batch
    )
    with torch.no_grad():
        gained = float(score(score.at) - score(score.baseline))
    error = abs(float(shares.sum()) - gained) / abs(gained) if gained else math.nan
    return Attributed(shares[0].sum(0), error if math.isfinite(error) else None)
