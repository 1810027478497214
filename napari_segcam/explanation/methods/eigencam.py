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
    projection, _ = _first_component(gradients.abs() * activations)
    return torch.where((projection.amin((1, 2)) + projection.amax((1, 2)) < 0)[:, None, None], -projection, projection)


def _along_the_sum(features: torch.Tensor) -> torch.Tensor:
    """The first component, with the sign that makes it rise with the sum over the channels.

    A principal component has no sign of its own, and reference implementations keep whichever their solver happens to
    give. For the centred features X and the component v the covariance of the projection with the sum over channels,
    (X v)·(X 1), is σ² Σ v: so the sign is that of Σ v. Positive is then where A is large in sum, and for G A where the
    evidence for the target, the HiResCAM map, is.
    """
    projection, direction = _first_component(features)
    return torch.where((direction.sum(1) < 0)[:, None, None], -projection, projection)


def _first_component(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Projection ``(B, h, w)`` of each place's centred channels on the first principal component ``(B, C)``.

    Only the right singular vectors are needed, which X shares with the R of its QR factorisation: no matrix larger
    than X is built. Where features are not finite no projection is either, though the solver would raise.
    """
    height, width = features.shape[-2:]
    wide = features.to(torch.promote_types(features.dtype, torch.float32))  # there is no solver in half precision
    places = wide.flatten(2).transpose(1, 2)
    centred = places - places.mean(1, keepdim=True)
    finite = centred.isfinite().all(-1).all(-1)
    triangle = torch.linalg.qr(torch.where(finite[:, None, None], centred, 0), mode="r").R
    direction = torch.linalg.svd(triangle, full_matrices=False).Vh[:, 0]
    projection = torch.einsum("bpc,bc->bp", centred, direction).unflatten(1, (height, width))
    return projection, direction
