"""Methods that weight every pixel by its own gradient, so that evidence is shown where it was used."""

from __future__ import annotations

import torch

from napari_segcam.explanation.methods.method import method


@method("hirescam", "HiResCAM", paper="Draelos & Carin, arXiv:2011.08891", year=2020)
def hirescam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Every pixel weighted by its own gradient: Σ_k G_k A_k (Draelos & Carin 2020, arXiv:2011.08891).

    For segmentation this is Seg-HiRes-Grad-CAM (Rheude et al. 2024).
    """
    return (gradients * activations).sum(1)


@method("layercam", "LayerCAM", paper="Jiang et al., IEEE TIP 30:5875", year=2021)
def layercam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Every pixel weighted by its own positive gradient: Σ_k ReLU(G_k) A_k (Jiang et al. 2021, IEEE TIP 30:5875)."""
    return (gradients.relu() * activations).sum(1)


@method("gradcam_elementwise", "Grad-CAM, element-wise", paper="Pillai & Pirsiavash, AAAI", year=2021)
def gradcam_elementwise(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Evidence for the target only, channel by channel: Σ_k ReLU(G_k A_k).

    As ``GradCAMElementWise`` in the package grad-cam, after the element-wise product of Pillai & Pirsiavash,
    "Explainable Models with Consistent Interpretations", AAAI 2021. Unlike in HiResCAM, channels cannot cancel out.
    """
    return (gradients * activations).relu().sum(1)
