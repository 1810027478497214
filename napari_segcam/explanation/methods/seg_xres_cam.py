"""Seg-XRes-CAM."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from napari_segcam.explanation.methods.method import method

# Windows along the map's longer side, by default.
_WINDOWS_PER_SIDE = 8


@method("seg-xres-cam", "Seg-XRes-CAM", paper="Hasany et al., CVPR Workshops", year=2023)
def seg_xres_cam(activations: torch.Tensor, gradients: torch.Tensor, window: int | None = None) -> torch.Tensor:
    """Gradients averaged within windows instead of over all space: Σ_k Up(Pool(G_k)) A_k (Hasany et al. 2023).

    Hasany, Petitjean & Mériaudeau, "Seg-XRes-CAM: Explaining Spatially Local Regions in Image Segmentation", CVPR
    Workshops 2023. A window of one pixel is HiResCAM, one over the whole map is Grad-CAM.

    Args:
        activations: ``(B, C, h, w)``.
        gradients: ``(B, C, h, w)``.
        window: side of the square windows in pixels of the map; those at the far edges may be smaller. By default an
            eighth of the longer side and at least 2, so that a window covers about the same part of the frame at every
            stage.
    """
    height, width = gradients.shape[-2:]
    side = window or max(2, math.ceil(max(height, width) / _WINDOWS_PER_SIDE))
    pooled = F.avg_pool2d(gradients, side, ceil_mode=True)
    upsampled = pooled.repeat_interleave(side, -2).repeat_interleave(side, -1)[..., :height, :width]
    return (upsampled * activations).sum(1)
