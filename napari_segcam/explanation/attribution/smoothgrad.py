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
    from captum.attr import NoiseTunnel, Saliency

    at = score.at
    devices = [at.device] if at.is_cuda else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(_SEED)
        mean = NoiseTunnel(Saliency(score)).attribute(
            at,
            nt_type="smoothgrad",
            nt_samples=_SAMPLES,
            nt_samples_batch_size=score.batch,
            stdevs=_NOISE * float(at.max() - at.min()),
            abs=False,
        )
    return AttributedMap(mean[0].abs().amax(0))
