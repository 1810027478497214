"""Convolutions with frozen weights, which keep no input for the backward pass.

PyTorch's convolution keeps its input for the gradient of the weights, even if no weight needs one. In a deep network
these inputs are most of the memory of a backward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from napari_segcam.network.inference.input_gradient import occupied_box, part_gradient
from napari_segcam.network.inference.module_patterns import find_modules
from napari_segcam.network.inference.same_precision import remember_precision, same_precision


class FrozenConv2d(nn.Conv2d):
    """A convolution that computes only the gradient of its input, and keeps only its weights for it.

    Attributes:
        rectifies: whether it ends in a ReLU; then its output is kept too.
    """

    rectifies = False

    @classmethod
    def like(
        cls, convolution: nn.Conv2d, weight: torch.Tensor | None = None, *, rectifies: bool = False
    ) -> FrozenConv2d:
        """Return the same convolution with shared weights, or one with this ``weight`` and without a bias."""
        kernel = convolution.weight if weight is None else weight
        frozen = cls(
            kernel.shape[1] * convolution.groups,
            kernel.shape[0],
            convolution.kernel_size,  # type: ignore[arg-type]
            convolution.stride,  # type: ignore[arg-type]
            convolution.padding,  # type: ignore[arg-type]
            convolution.dilation,  # type: ignore[arg-type]
            convolution.groups,
            bias=weight is None and convolution.bias is not None,
            device="meta",
        )
        frozen.weight = nn.Parameter(kernel.detach(), requires_grad=False)
        if frozen.bias is not None:
            frozen.bias = convolution.bias
        frozen.rectifies = rectifies
        return frozen.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() and x.requires_grad:
            return _FrozenConvolution.apply(x, self)
        return self.convolve(x)

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output without a graph."""
        output = super().forward(x)
        return output.relu_() if self.rectifies else output


def freeze_convolutions(root: nn.Module) -> bool:
    """Replace every convolution with zero padding by one that keeps no input; return whether there were any."""
    convolutions = [
        (parent, name, convolution)
        for parent, name, convolution in find_modules(root, nn.Conv2d)
        if convolution.padding_mode == "zeros" and not isinstance(convolution.padding, str)
    ]
    for parent, name, convolution in convolutions:
        setattr(parent, name, FrozenConv2d.like(convolution))
    return bool(convolutions)


class _FrozenConvolution(Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: FrozenConv2d) -> torch.Tensor:
        remember_precision(ctx, x)
        output = layer.convolve(x)
        ctx.layer, ctx.size = layer, x.shape[2:]
        if layer.rectifies:
            ctx.save_for_backward(output)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        box = occupied_box(gradient)
        part = gradient if box is None else gradient[..., *box]
        for output in ctx.saved_tensors:
            part = torch.ops.aten.threshold_backward(part, output if box is None else output[..., *box], 0)
        with same_precision(ctx):
            return part_gradient(part, box, ctx.layer, *ctx.size), None
