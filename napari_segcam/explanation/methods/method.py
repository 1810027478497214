"""Gradient CAM methods: what they are, and how a file registers one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_segcam.explanation.registry import Method, register

CamFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class GradientMethod(Method):
    """Method that computes a stage's map from its activations and gradients.

    Attributes:
        compute: ``A``, ``G``, both ``(B, C, h, w)`` → the map ``(B, h, w)`` before any ReLU. If the method needs no
            gradient, ``G`` can be any tensor.
        only_channel_means: whether only each channel's mean gradient matters.
    """

    compute: CamFunction
    only_channel_means: bool = False


def method(
    name: str,
    title: str,
    *,
    paper: str,
    year: int,
    needs_gradient: bool = True,
    signed: bool = False,
    contrasts: bool = False,
    only_channel_means: bool = False,
) -> Callable[[CamFunction], CamFunction]:
    """Register a function as a CAM method; the arguments are the fields of ``GradientMethod``."""

    def decorator(compute: CamFunction) -> CamFunction:
        register(
            GradientMethod(
                name=name,
                title=title,
                paper=paper,
                year=year,
                needs_gradient=needs_gradient,
                knows_target=needs_gradient,
                signed=signed,
                contrasts=contrasts,
                compute=compute,
                only_channel_means=only_channel_means,
            )
        )
        return compute

    return decorator


def weighted_sum(activations: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return Σ_k w_k A_k: activations ``(B, C, h, w)``, weights ``(B, C)`` → ``(B, h, w)``."""
    return torch.einsum("bchw,bc->bhw", activations, weights)
