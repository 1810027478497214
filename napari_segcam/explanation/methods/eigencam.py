"""The eigen methods: a stage's map is what its channels have most in common, their first principal component."""

from __future__ import annotations

import torch

from napari_segcam.explanation.methods.method import method


@method("eigencam", "Eigen-CAM", paper="Muhammad & Yeasin, arXiv:2008.00299", year=2020, needs_gradient=False)
def eigencam(activations: torch.Tensor, _gradients: torch.Tensor) -> torch.Tensor:
    """The first principal component of A over all places (Muhammad & Yeasin 2020, arXiv:2008.00299).

    It knows no target: it shows what dominates a stage, whatever is asked of the network.
    """
    return _along_the_sum(activations)


@method("eigengradcam", "Eigen-Grad-CAM", paper="Gildenblat et al., the package grad-cam", year=2021)
def eigengradcam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """The first principal component of G A, Eigen-CAM made to know the target, as the package grad-cam has it."""
    return _along_the_sum(gradients * activations)


@method("seg-eigen-cam", "Seg-Eigen-CAM", paper="Chung & Ying, Appl. Sci. 15:7562", year=2025)
def seg_eigencam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """The first principal component of |G| A, its largest magnitude made positive (Chung & Ying 2025, eq. 10 to 13)."""
    projection = _first_component(gradients.abs() * activations)
    return _turned(projection, projection.amin((1, 2)) + projection.amax((1, 2)) < 0)


def _along_the_sum(features: torch.Tensor) -> torch.Tensor:
    """The first component, with the sign that makes it rise with the sum over the channels.

    A principal component has no sign of its own, and reference implementations keep whichever their solver happens to
    give. This sign is that of the covariance with Σ_k over all places: positive is where A is large in sum and, for
    G A, where the evidence for the target, the HiResCAM map, is.
    """
    projection = _first_component(features)
    summed = features.sum(1)
    centered = summed - summed.mean((1, 2), keepdim=True)
    return _turned(projection, (projection * centered).sum((1, 2)) < 0)


def _turned(projection: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    return torch.where(which[:, None, None], -projection, projection)


def _first_component(features: torch.Tensor) -> torch.Tensor:
    """Projection ``(B, h, w)`` of each place's centered channels X ``(places, C)`` on their first principal component.

    X = U S Vᵀ has S² and V as the eigenvalues and vectors of XᵀX, S² and U as those of XXᵀ, and the projection X v is
    s u: so the smaller of the two products is enough, in float64, where squaring costs the first component nothing.
    Where features are not finite no projection is either, though the solver would raise.
    """
    if features.device.type == "mps":  # has neither float64 nor the solver
        return _first_component(features.cpu()).to(features.device)
    height, width = features.shape[-2:]
    places = features.flatten(2).transpose(1, 2).double()
    centered = places - places.mean(1, keepdim=True)
    finite = centered.isfinite().all(-1).all(-1)[:, None, None]
    safe = torch.where(finite, centered, 0)
    if centered.shape[1] > centered.shape[2]:
        _, vectors = torch.linalg.eigh(safe.transpose(1, 2) @ safe)
        projection = torch.einsum("bpc,bc->bp", centered, vectors[..., -1])
    else:
        values, vectors = torch.linalg.eigh(safe @ safe.transpose(1, 2))
        projection = torch.where(finite[..., 0], values[:, -1:].clamp(min=0).sqrt() * vectors[..., -1], torch.nan)
    return projection.unflatten(1, (height, width)).to(torch.promote_types(features.dtype, torch.float32))
