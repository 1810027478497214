"""Finer-CAM: why this class, and not that one."""

from __future__ import annotations

import torch

from napari_segcam.explanation.methods.gradcam import gradcam
from napari_segcam.explanation.methods.method import method


@method(
    "finercam",
    "Finer-CAM",
    paper="Zhang et al., arXiv:2501.11309",
    year=2025,
    contrasts=True,
    only_channel_means=True,
)
def finercam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Grad-CAM of the difference between two classes, y_c − γ y_d (Zhang et al. 2025, arXiv:2501.11309).

    What supports both classes cancels out; what remains distinguishes them. The gradients are those of the
    difference: see ``Target.against`` and ``Target.gamma``.
    """
    return gradcam(activations, gradients)
