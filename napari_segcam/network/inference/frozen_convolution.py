"""Convolutions whose weights are frozen: their graph keeps the weights alone.

PyTorch's own convolution keeps its input for the weights' gradient even where no weight needs one; in a deep network
those inputs are most of the memory of a backward pass.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from napari_segcam.network.inference.input_gradient import input_gradient
from napari_segcam.network.inference.recognition import places_of


class FrozenConv2d(nn.Conv2d):
    """A convolution that gives the gradient of its input only, and keeps nothing but its weights for it."""

    @classmethod
    def like(cls, convolution: nn.Conv2d, weight: torch.Tensor | None = None) -> FrozenConv2d:
        """The same convolution, sharing its weights; or without a bias, over the input channels of ``weight``."""
        own = convolution.weight if weight is None else weight
        frozen = cls(
            own.shape[1] * convolution.groups,
            own.shape[0],
            convolution.kernel_size,  # type: ignore[arg-type]
            convolution.stride,  # type: ignore[arg-type]
            convolution.padding,  # type: ignore[arg-type]
            convolution.dilation,  # type: ignore[arg-type]
            convolution.groups,
            bias=weight is None and convolution.bias is not None,
            device="meta",
        )
        frozen.weight = nn.Parameter(own.detach(), requires_grad=False)
        if frozen.bias is not None:
            frozen.bias = convolution.bias
        return frozen.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() and x.requires_grad:
            return _FrozenConvolution.apply(x, self)
        return super().forward(x)


def freeze_convolutions(root: nn.Module) -> bool:
    """Replace every convolution with zero padding by one that keeps no input; whether there were any."""
    places = [
        place
        for place in places_of(root, nn.Conv2d)
        if place[2].padding_mode == "zeros" and not isinstance(place[2].padding, str)
    ]
    for parent, name, convolution in places:
        setattr(parent, name, FrozenConv2d.like(convolution))
    return bool(places)


class _FrozenConvolution(Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: FrozenConv2d) -> torch.Tensor:
        ctx.layer, ctx.size = layer, x.shape[2:]
        return F.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return input_gradient(gradient, ctx.layer, *ctx.size), None
