"""Grad-CAM, and its signed form, which also shows evidence against the target."""

from __future__ import annotations

import torch

from napari_segcam.explanation.methods.method import method, weighted_sum

_PAPER = "Selvaraju et al., arXiv:1610.02391"


@method("gradcam", "Grad-CAM", paper=_PAPER, year=2017, only_channel_means=True)
@method("gradcam_signed", "Grad-CAM, signed", paper=_PAPER, year=2017, signed=True, only_channel_means=True)
def gradcam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Channels weighted by their mean gradient: Σ_k mean(G_k) A_k (Selvaraju et al. 2017, arXiv:1610.02391).

    The signed form ends without a ReLU. Where it is negative the stage counts against the target; the paper's section
    on counterfactual explanations shows this by turning the gradients' sign.
    """
    return weighted_sum(activations, gradients.mean((2, 3)))
