"""CAM methods: each one small function of a stage's activations and gradients.

Every function takes the activations ``A`` and the gradients ``G = ∂y/∂A``, both ``(B, C, h, w)``, and returns the map
``(B, h, w)`` before the final ReLU, which is the same for all and applied by the explainer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_segcam.errors import SegcamError

CamFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Method:
    """A CAM method under the name the field gives it."""

    name: str
    title: str
    compute: CamFunction


METHODS: dict[str, Method] = {}


def _method(name: str, title: str) -> Callable[[CamFunction], CamFunction]:
    def register(compute: CamFunction) -> CamFunction:
        METHODS[name] = Method(name, title, compute)
        return compute

    return register


def find_method(name: str) -> Method:
    """The method of this name.

    Raises:
        SegcamError: if there is none.
    """
    if name not in METHODS:
        raise SegcamError(f"There is no method {name!r}. Choose from: {', '.join(METHODS)}.")
    return METHODS[name]


@_method("gradcam", "Grad-CAM")
def gradcam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Channels weighted by their mean gradient: Σ_k mean(G_k) A_k (Selvaraju et al. 2017, arXiv:1610.02391)."""
    return _weighted(activations, gradients.mean((2, 3)))


@_method("gradcam++", "Grad-CAM++")
def gradcam_plus_plus(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Channels weighted by Σ α ReLU(G), α = G² / (2 G² + ΣA · G³) (Chattopadhay et al. 2018, arXiv:1710.11063).

    The weights are not homogeneous in G: a score summed over the region gives another map than one averaged over it.
    """
    squared = gradients.square()
    sums = activations.sum((2, 3), keepdim=True)
    alphas = squared / (2 * squared + sums * squared * gradients + 1e-6)
    return _weighted(activations, (alphas * gradients.relu()).sum((2, 3)))


@_method("layercam", "LayerCAM")
def layercam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Every place weighted by its own positive gradient: Σ_k ReLU(G_k) A_k (Jiang et al. 2021, TIP 30:5875)."""
    return (gradients.relu() * activations).sum(1)


@_method("hirescam", "HiResCAM")
def hirescam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Every place weighted by its own gradient: Σ_k G_k A_k (Draelos & Carin 2020, arXiv:2011.08891)."""
    return (gradients * activations).sum(1)


def _weighted(activations: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Σ_k w_k A_k for weights ``(B, C)``."""
    return torch.einsum("bchw,bc->bhw", activations, weights)
