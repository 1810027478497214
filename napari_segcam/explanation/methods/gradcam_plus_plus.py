"""Grad-CAM++."""

from __future__ import annotations

import torch

from napari_segcam.explanation.methods.method import method, weighted_sum


@method("gradcam++", "Grad-CAM++", paper="Chattopadhay et al., arXiv:1710.11063", year=2018)
def gradcam_plus_plus(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Channels weighted by Σ α ReLU(G), α = G² / (2 G² + ΣA · G³) (Chattopadhay et al. 2018, arXiv:1710.11063).

    The weights are not homogeneous in G: a score summed over the region gives another map than one averaged over it.
    """
    squared = gradients.square()
    sums = activations.sum((2, 3), keepdim=True)
    alphas = squared / (2 * squared + sums * squared * gradients + 1e-6)
    return weighted_sum(activations, (alphas * gradients.relu()).sum((2, 3)))
