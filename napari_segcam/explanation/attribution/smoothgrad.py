"""SmoothGrad."""

from __future__ import annotations

import torch

from napari_segcam.explanation.attribution.attribution import AttributedMap, attribution
from napari_segcam.explanation.attribution.score import PIXELS, Score

_SAMPLES = 24
_NOISE = 0.15  # standard deviation over the range of the input; the paper finds 0.1 to 0.2 best
_SEED = 0


@attribution(
    "smoothgrad", "SmoothGrad", paper="Smilkov et al., arXiv:1706.03825", year=2017, runs=_SAMPLES, stage=PIXELS
)
def smoothgrad(score: Score) -> AttributedMap:
    """The mean gradient of noisy copies of the frame: (1/n) Σ ∂y/∂x (x + ε_n) (Smilkov et al. 2017, arXiv:1706.03825).

    It shows where a change of a pixel changes the score, not whether the pixel counts for or against the target: as in
    the paper, a pixel's value is the largest magnitude among its channels. The noise is normal and the same every time.
    """
    from captum.attr import Saliency

    gradient, at = Saliency(score), score.at
    deviation = _NOISE * float(at.max() - at.min())
    total = torch.zeros_like(at[0])
    for noise in _noise(at.shape[1:]).split(score.batch):
        total += gradient.attribute(at + deviation * noise.to(at), abs=False).sum(0)
    return AttributedMap((total / _SAMPLES).abs().amax(0))


def _noise(shape: torch.Size) -> torch.Tensor:
    """Return normal noise for each copy, ``(n, *shape)``: the same on each device, and for any number in a pass."""
    generator = torch.Generator().manual_seed(_SEED)
    return torch.stack([torch.randn(shape, generator=generator) for _ in range(_SAMPLES)])
