"""What a CAM method is, and how a file makes one known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

CamFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Method:
    """A CAM method under the name the field gives it.

    Attributes:
        name: how users ask for it, ``"gradcam++"``.
        title: how people write it, ``"Grad-CAM++"``.
        paper: authors and where it appeared.
        year: when; methods are listed in this order.
        compute: ``A``, ``G``, both ``(B, C, h, w)`` → the map ``(B, h, w)`` before any ReLU.
        needs_gradient: whether ``compute`` looks at ``G``; where not, any tensor may stand for it.
        signed: whether negative values are evidence against the target, to be kept: no ReLU ends this method.
    """

    name: str
    title: str
    paper: str
    year: int
    compute: CamFunction
    needs_gradient: bool = True
    signed: bool = False


registered: list[Method] = []


def method(
    name: str, title: str, *, paper: str, year: int, needs_gradient: bool = True, signed: bool = False
) -> Callable[[CamFunction], CamFunction]:
    """Make a function known as a CAM method; its arguments are the fields of ``Method``."""

    def register(compute: CamFunction) -> CamFunction:
        registered.append(Method(name, title, paper, year, compute, needs_gradient, signed))
        return compute

    return register


def weighted_sum(activations: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Σ_k w_k A_k: activations ``(B, C, h, w)``, weights ``(B, C)`` → ``(B, h, w)``."""
    return torch.einsum("bchw,bc->bhw", activations, weights)
