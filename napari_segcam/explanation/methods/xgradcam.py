"""XGrad-CAM."""

from __future__ import annotations

import torch

from napari_segcam.explanation.methods.method import method, weighted_sum


@method("xgradcam", "XGrad-CAM", paper="Fu et al., arXiv:2008.02312", year=2020)
def xgradcam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Channels weighted by their gradient where they are active: w_k = Σ G_k A_k / Σ A_k (Fu et al. 2020).

    Fu et al., "Axiom-based Grad-CAM", arXiv:2008.02312. The mean assumes activations that are not negative: where a
    stage has signed activations, as in EfficientNet, Σ A_k can be near zero, and a single channel then dominates.
    """
    weights = (gradients * activations).sum((2, 3)) / (activations.sum((2, 3)) + 1e-7)
    return weighted_sum(activations, weights)
