"""Eigen methods: a stage's map is the first principal component of its channels."""

from __future__ import annotations

import torch

from napari_segcam.explanation.methods.method import method
from napari_segcam.network.device import has_float64


@method("eigencam", "Eigen-CAM", paper="Muhammad & Yeasin, arXiv:2008.00299", year=2020, needs_gradient=False)
def eigencam(activations: torch.Tensor, _gradients: torch.Tensor) -> torch.Tensor:
    """First principal component of A over all pixels (Muhammad & Yeasin 2020, arXiv:2008.00299).

    It does not depend on the target: it shows what dominates a stage.
    """
    return _along_the_sum(activations)


@method("eigengradcam", "Eigen-Grad-CAM", paper="Gildenblat et al., the package grad-cam", year=2021)
def eigengradcam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """First principal component of G A: Eigen-CAM with a target, as in the package grad-cam."""
    return _along_the_sum(gradients * activations)


@method("seg-eigen-cam", "Seg-Eigen-CAM", paper="Chung & Ying, Appl. Sci. 15:7562", year=2025)
def seg_eigencam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """First principal component of |G| A, its largest magnitude made positive (Chung & Ying 2025, eq. 10 to 13)."""
    projection = _first_component(gradients.abs() * activations)
    return _negate_where(projection.amin((1, 2)) + projection.amax((1, 2)) < 0, projection)


def _along_the_sum(features: torch.Tensor) -> torch.Tensor:
    """Return the first component, with the sign that makes it rise with the sum over the channels.

    The sign of a principal component is arbitrary, and reference implementations keep the one that their solver gives.
    Here it is the sign of the covariance with Σ_k over all pixels: the map is positive where the sum of A is large and,
    for G A, where the evidence for the target, the HiResCAM map, is large.
    """
    projection = _first_component(features)
    summed = features.sum(1)
    centered = summed - summed.mean((1, 2), keepdim=True)
    return _negate_where((projection * centered).sum((1, 2)) < 0, projection)


def _negate_where(condition: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    return torch.where(condition[:, None, None], -maps, maps)


def _first_component(features: torch.Tensor) -> torch.Tensor:
    """Project each pixel's centered channels X ``(pixels, C)`` on their first principal component: ``(B, h, w)``.

    With X = U S Vᵀ, S² and V are the eigenvalues and vectors of XᵀX, S² and U those of XXᵀ, and the projection X v is
    s u. So the smaller of the two products is enough, in float64, where squaring does not harm the first component.
    Where features are not finite the projection is not either; the solver alone would raise an error.
    """
    if not has_float64(features.device):  # nor the solver
        return _first_component(features.cpu()).to(features.device)
    height, width = features.shape[-2:]
    pixels = features.flatten(2).transpose(1, 2).double()
    centered = pixels - pixels.mean(1, keepdim=True)
    finite = centered.isfinite().all(-1).all(-1)[:, None, None]
    safe = torch.where(finite, centered, 0)
    if centered.shape[1] > centered.shape[2]:
        _, vectors = torch.linalg.eigh(safe.transpose(1, 2) @ safe)
        projection = torch.einsum("bpc,bc->bp", centered, vectors[..., -1])
    else:
        values, vectors = torch.linalg.eigh(safe @ safe.transpose(1, 2))
        projection = torch.where(finite[..., 0], values[:, -1:].clamp(min=0).sqrt() * vectors[..., -1], torch.nan)
    return projection.unflatten(1, (height, width)).to(torch.promote_types(features.dtype, torch.float32))
